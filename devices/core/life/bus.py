"""How the processes tell each other that something changed about a user's sessions (mode `cached`).

A listener thread, one in each process, empties the memory as messages come, and vouches for it only while
its heartbeat goes through the same line as they do.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from typing import Any, Protocol

from devices.conf import conf
from devices.core import database

from .memory import memory

logger = logging.getLogger("devices")

CHANNEL = "devices"
# Seconds between two heartbeats, and for how long one is believed, counted from when it was sent.
BEAT = 0.25
LEASE = 1.0


class Line(Protocol):
    """An open connection to the bus, by which the ids of users come in."""

    def beat(self) -> Iterator[str]:
        """Publish a message as ends of sessions are, and wait for it; what is said before it, in full.

        That the other end answers proves nothing: a pooler answers too, and hands on no message.
        """

    def wait(self, seconds: float) -> Iterator[str]:
        """What is said from now on, as it comes."""

    def close(self) -> None: ...


class PostgresLine:
    def __init__(self, url: str) -> None:
        import psycopg

        parameters: dict[str, Any] = database.connection().get_connection_params()
        for own in ("cursor_factory", "prepare_threshold", "pool"):
            parameters.pop(own, None)
        limits: dict[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": 2000}
        # Nobody else hears the beats.
        self._own = f"{CHANNEL}_{secrets.token_hex(8)}"
        listen: dict[str, Any] = (
            {**limits, **parameters} if url == "postgres" else {**limits, "conninfo": url}
        )
        self._connection: Any = psycopg.connect(**listen, autocommit=True)
        try:
            self._connection.execute(f"LISTEN {CHANNEL}")
            self._connection.execute(f"LISTEN {self._own}")
            # The way that the messages go, which the listening connection is not.
            self._sender: Any = psycopg.connect(**{**limits, **parameters}, autocommit=True)
        except BaseException:
            self._connection.close()
            raise
        # Behind a pooler the next statement may find another backend.
        self._sender.prepare_threshold = None

    def beat(self) -> Iterator[str]:
        sign = secrets.token_hex(8)
        self._sender.execute("SELECT pg_notify(%s, %s)", [self._own, sign])
        deadline = time.monotonic() + LEASE
        while (left := deadline - time.monotonic()) > 0:
            # All that came at once: the iterator would lose what is not taken from it.
            came = list(self._connection.notifies(timeout=left, stop_after=1))
            yield from (notice.payload for notice in came if notice.channel == CHANNEL)
            if any(notice.payload == sign for notice in came if notice.channel == self._own):
                return
        raise TimeoutError("PostgreSQL does not hand on what is said.")

    def wait(self, seconds: float) -> Iterator[str]:
        for notice in self._connection.notifies(timeout=seconds):
            if notice.channel == CHANNEL:
                yield notice.payload

    def close(self) -> None:
        self._sender.close()
        self._connection.close()


class RedisLine:
    def __init__(self, url: str) -> None:
        self._redis = _redis(url)
        self._pubsub = self._redis.pubsub()
        self._own = f"{CHANNEL}:{secrets.token_hex(8)}"
        self._pubsub.subscribe(CHANNEL, self._own)
        for _ in range(2):
            if (self._pubsub.get_message(timeout=LEASE) or {}).get("type") != "subscribe":
                self.close()
                raise TimeoutError("Redis does not confirm the subscription.")

    def beat(self) -> Iterator[str]:
        sign = secrets.token_hex(8).encode()
        with self._redis.pipeline(transaction=False) as pipeline:
            _, (role, *_) = pipeline.publish(self._own, sign).role().execute()
        if role != b"master":
            # What is published at a replica is heard there alone, so the beat would come round.
            raise ConnectionError("This Redis is no master.")
        while (message := self._pubsub.get_message(timeout=LEASE)) is not None:
            if message["type"] == "message" and message["data"] == sign:
                return
            yield from self._said(message)
        raise TimeoutError("Redis does not answer.")

    def wait(self, seconds: float) -> Iterator[str]:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if message := self._pubsub.get_message(timeout=left):
                yield from self._said(message)

    def _said(self, message: dict[str, Any]) -> Iterator[str]:
        if message["type"] == "subscribe":
            # The library came back by itself; what was said meanwhile is lost.
            raise ConnectionError("The line to Redis was cut.")
        if message["type"] == "message" and message["channel"] == CHANNEL.encode():
            yield message["data"].decode()

    def close(self) -> None:
        self._pubsub.close()


class Listener:
    """The thread. It never gives up: without a line the memory is not trusted, and nothing else happens."""

    def __init__(self) -> None:
        self.error = ""
        # The database that it listens to, if it is one.
        self.alias = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices-bus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with closing(_open()) as line:
                    self.alias = database.alias()
                    # Whatever was said while there was no line.
                    memory.forget_all()
                    self._listen(line)
            except (
                Exception
            ) as error:  # of two libraries, of the network; to be outlived in any case
                if not self.error:
                    logger.warning("The bus does not answer: %s", type(error).__name__)
                self.error = type(error).__name__
            finally:
                memory.forget_all()
            self._stopped.wait(BEAT)

    def _listen(self, line: Line) -> None:
        while not self._stopped.is_set():
            sent = time.monotonic()
            for user_id in line.beat():
                memory.forget(user_id)
            memory.trust(sent + LEASE)
            self.error = ""
            for user_id in line.wait(BEAT):
                memory.forget(user_id)


_listener: Listener | None = None
_starting = threading.Lock()


def listen() -> None:
    """Start this process's listener, if it has none and there is a bus."""
    global _listener
    if _listener is None and conf.BUS is not None:
        with _starting:
            if _listener is None:
                _listener = Listener()


def stop() -> None:
    global _listener
    if _listener is not None:
        _listener.stop()
        _listener = None


def publish(user_ids: Iterable[Any]) -> None:
    """Say that something changed about these users' sessions; it is heard when, and if, it is committed."""
    url, names = conf.BUS, sorted({str(user_id) for user_id in user_ids})
    if url is None or not names:
        return
    # Here at once, so that whoever did it finds it done.
    database.on_commit(lambda: _forget(names))
    if is_postgres(url):
        with database.connection().cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify(%s, name) FROM unnest(%s::text[]) AS name", [CHANNEL, names]
            )
    else:
        database.on_commit(lambda: _publish_to_redis(url, names))


def hears(alias: str | None) -> bool:
    """Whether this process is told of what ends on this database. A line to PostgreSQL leads to one only."""
    return not is_postgres(conf.BUS or "") or (_listener is not None and _listener.alias == alias)


def is_postgres(url: str) -> bool:
    """Whether a BUS is the database itself; by a URL of its own where poolers stand before it."""
    return url == "postgres" or url.startswith(("postgres://", "postgresql://"))


def error() -> str:
    """Why this process hears nothing; empty if it does, or has not tried."""
    return _listener.error if _listener is not None else ""


def _forget(names: Iterable[str]) -> None:
    for name in names:
        memory.forget(name)


def _publish_to_redis(url: str, names: Iterable[str]) -> None:
    try:
        with _redis(url).pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.publish(CHANNEL, name)
            pipeline.execute()
    except (
        Exception
    ) as error:  # it is committed; the others learn of it when their entries are too old
        logger.error("An end of sessions could not be published: %s", type(error).__name__)


def _open() -> Line:
    url = conf.BUS
    if url is None:
        raise ConnectionError("There is no bus.")
    return PostgresLine(url) if is_postgres(url) else RedisLine(url)


@cache
def _redis(url: str) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url, socket_timeout=LEASE, socket_connect_timeout=LEASE, retry=Retry(NoBackoff(), 0)
    )


def _after_fork() -> None:
    global _listener, _starting
    _listener, _starting = None, threading.Lock()
    memory.after_fork()


os.register_at_fork(after_in_child=_after_fork)
