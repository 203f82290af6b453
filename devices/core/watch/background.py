"""What is done beside requests: huey, in a thread of this process, or told over Redis to workers elsewhere.

What has to be done stands in the database (core.watch.notices). This only makes that it is done soon.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from huey import Huey, MemoryHuey, RedisHuey
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

from devices.conf import conf

logger = logging.getLogger(__name__)

# How long a queue that has nothing to do sleeps, in seconds.
LONGEST_NAP = 1.0
# A Redis that does not answer delays nobody for longer, in seconds; reading waits for one.
REDIS_PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 5}


def is_redis(queue: str) -> bool:
    return queue.startswith(("redis://", "rediss://", "unix://"))


def _make(queue: str) -> Huey:
    if not is_redis(queue):
        return MemoryHuey("devices", results=False)
    from redis import ConnectionPool

    return RedisHuey(
        "devices",
        results=False,
        connection_pool=ConnectionPool.from_url(queue, **REDIS_PATIENCE),
        # Huey pickles; what is not signed by us is not loaded.
        serializer=SignedSerializer(secret=settings.SECRET_KEY, salt="devices.queue"),
    )


huey = _make(conf.NOTICE_QUEUE)


class _Embedded(Consumer):
    def _set_signal_handlers(self) -> None:
        """Signals are the server's, whose guest this is."""


_lock = threading.Lock()
_pid: int | None = None


def ensure_running() -> None:
    """Have a thread of this very process work, if that is how it shall be. Threads do not outlive a fork."""
    global _pid
    if _pid == os.getpid() or conf.NOTICE_QUEUE != "embedded":
        return
    with _lock:
        if _pid != os.getpid():
            _Embedded(huey, workers=1, max_delay=LONGEST_NAP).start()
            _pid = os.getpid()


def ring(task: Callable[..., Any], *args: Any) -> None:
    """Have a task done soon, wherever that is. If it cannot be said now, the next round finds it."""
    if conf.NOTICE_QUEUE == "worker":
        return
    try:
        ensure_running()
        task(*args)
    except Exception as error:  # whatever a Redis that is away may raise
        logger.warning("The queue of notices is away: %s", type(error).__name__)


def run(workers: int) -> None:
    """Work until a signal says to stop. For a process of its own."""
    Consumer(huey, workers=workers, max_delay=LONGEST_NAP).run()


def put_connections_back() -> None:
    """A thread that sleeps holds no connection to a database."""
    connections.close_all()
