"""Background work with huey: in a thread of this process, or by workers that Redis notifies.

The e-mails are stored in the database (core.notifications.outbox). This module only triggers their sending.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import connections
from huey import Huey, MemoryHuey, RedisHuey, crontab
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

from devices.conf import conf, is_redis
from devices.core import database, redis_servers

logger = logging.getLogger(__name__)

# How long a queue that has nothing to do sleeps, in seconds.
LONGEST_NAP = 1.0
# Seconds after which a process that serves no requests sends e-mails itself. A command or a job would end in
# the middle, and others wait for NOTICE_LEASE before they send what it has taken.
SETTLED_AFTER = 5.0
# Seconds for which a process that ends waits for the e-mail that its thread is sending.
LAST_WAIT = 10.0
# Seconds that a Redis which does not answer may delay a caller; reading waits for one.
REDIS_PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 5}


def _make(queue: str) -> Huey:
    if not is_redis(queue):
        return MemoryHuey("devices", results=False)
    return RedisHuey(
        "devices",
        results=False,
        connection_pool=redis_servers.pool(queue, **REDIS_PATIENCE),
        # Huey pickles; what is not signed by us is not loaded.
        serializer=SignedSerializer(secret=settings.SECRET_KEY, salt="devices.queue"),
    )


huey = _make(conf.NOTICE_QUEUE)


class _Embedded(Consumer):
    def _set_signal_handlers(self) -> None:
        """Signals are the server's, whose guest this is."""


_lock = threading.Lock()
# The processes whose thread works, and is about to.
_pid: int | None = None
_waiting: int | None = None
# That of this process.
_consumer: Consumer | None = None
# Held while the thread of this process sends an e-mail.
_sending = threading.Lock()


def ensure_running() -> None:
    """Start the thread of this process that works, if NOTICE_QUEUE says so. Threads do not outlive a fork.

    None is started beside an SQLite in memory, as Django's tests have it: while a thread reads there,
    others do not wait but fail ("database table is locked").
    """
    global _pid, _consumer, _sending
    if _pid == os.getpid() or conf.NOTICE_QUEUE != "embedded":
        return
    with _lock:
        if _pid != os.getpid() and not _is_in_memory(database.connection()):
            _sending = threading.Lock()
            _consumer = _Embedded(huey, workers=1, max_delay=LONGEST_NAP)
            _consumer.start()
            _pid = os.getpid()
            atexit.register(_finish)


def in_hand() -> AbstractContextManager[Any]:
    """Return what the sender of one e-mail holds meanwhile: a process that ends waits for it."""
    return _sending if _pid == os.getpid() else nullcontext()


def _finish() -> None:
    """Have the e-mail in hand finished when the process ends. If it is cut, it comes late, or twice.

    Servers call this at a restart, when they have answered their requests (uvicorn does not). E-mails that
    are not begun are left to other processes.
    """
    # A process that was forked inherits the call, and no thread.
    if _pid == os.getpid() and _consumer is not None:
        _consumer.stop_flag.set()
        _sending.acquire(timeout=LAST_WAIT)


def _is_in_memory(connection: Any) -> bool:
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def _run_soon() -> None:
    """Start the thread of this process if it lasts. What is due then is found."""
    global _waiting
    with _lock:
        if _waiting == os.getpid():
            return
        _waiting = os.getpid()
    timer = threading.Timer(SETTLED_AFTER, ensure_running)
    timer.daemon = True
    timer.start()


def enqueue(task: Callable[..., Any], *args: Any) -> None:
    """Have a task done soon, wherever that is. If it cannot be said now, the next round finds it.

    A process that serves requests has its thread since the first of them.
    """
    if conf.NOTICE_QUEUE == "worker":
        return
    try:
        if conf.NOTICE_QUEUE == "embedded" and _pid != os.getpid():
            _run_soon()
        else:
            task(*args)
    except Exception as error:  # whatever a Redis that is away may raise
        logger.warning("The queue of e-mails is not available: %s", type(error).__name__)


@contextmanager
def in_schema(schema: str) -> Iterator[None]:
    """Work in this schema (django-tenants), and hold no connection to a database afterwards."""
    try:
        with database.within(schema):
            yield
    finally:
        put_connections_back()


def periodic(name: str, minute: str = "*") -> Callable[[Callable[[], Any]], Any]:
    """Have a function called at these minutes of each hour, once for each schema that has our tables.

    `name` is what the task is called in logs and in the queue, `minute` a field of crontab(5). The decorated
    function is a task of huey; its `call_local()` does it now.
    """

    def task_of(function: Callable[[], Any]) -> Any:
        @wraps(function)
        def each_schema() -> None:
            try:
                for _ in database.each_schema():
                    function()
            finally:
                put_connections_back()

        return huey.periodic_task(crontab(minute=minute), name=name)(each_schema)

    return task_of


def run(workers: int) -> None:
    """Work until a signal says to stop. For a process of its own.

    By SIGTERM, which process managers send, it finishes the e-mails in hand. huey's default is SIGINT.
    """
    global _consumer
    _consumer = Consumer(huey, workers=workers, max_delay=LONGEST_NAP, graceful_signal="TERM")
    _consumer.run()


def is_stopping() -> bool:
    """Return whether a signal says to stop: what is not begun is left to others."""
    return _consumer is not None and bool(_consumer.stop_flag.is_set())


def put_connections_back() -> None:
    """A thread that sleeps holds no connection to a database."""
    connections.close_all()
