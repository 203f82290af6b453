"""How processes notify each other that a user's sessions have changed (mode `cached`).

A listener thread in each process removes entries from the cache as messages come. The cache is used only
while the thread's heartbeats come back over the same connection.
"""

import logging
import os
import secrets
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, Protocol

from devices.conf import conf
from devices.core import database, redis_servers

from .cache import session_cache

logger = logging.getLogger("devices")

CHANNEL = "devices"
# Seconds between two heartbeats, and for how long one is believed, counted from when it was sent.
BEAT = 0.25
LEASE = 1.0
# For how many seconds beats go to PostgreSQL over one connection. Where the address has been moved to another
# server, and the old one stays up, a new connection leads to the new one, as those of requests do.
SENDER_AGE = 15.0

# Who is told of each user that is heard of, beside the memory; None: something may have been missed.
_hearers: list[Callable[[str | None], None]] = []


class Line(Protocol):
    """An open connection to the bus, by which the ids of users come in."""

    def beat(self) -> Iterator[str]:
        """Publish a message as ends of sessions are, and wait for it; what is said before it, in full.

        That the other end answers proves nothing: a pooler answers too, and hands on no message.
        """

    def wait(self, seconds: float) -> Iterator[str]:
        """What is said from now on, as it comes."""

    def close(self) -> None:
        """Close the connections."""


class PostgresLine:
    """LISTEN and NOTIFY of PostgreSQL."""

    def __init__(self, url: str) -> None:
        import psycopg

        parameters: dict[str, Any] = database.connection().get_connection_params()
        for own in ("cursor_factory", "prepare_threshold", "pool"):
            parameters.pop(own, None)
        limits: dict[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": 2000}
        # Nobody else hears the beats.
        self._own = f"{CHANNEL}_{secrets.token_hex(8)}"
        self._connect = partial(psycopg.connect, **{**limits, **parameters}, autocommit=True)
        self._connection: Any = (
            self._connect()
            if url == "postgres"
            else psycopg.connect(**limits, conninfo=url, autocommit=True)
        )
        try:
            # It says nothing, and is not idle.
            self._connection.execute("SET idle_session_timeout = 0")
            self._connection.execute(f"LISTEN {CHANNEL}")
            self._connection.execute(f"LISTEN {self._own}")
            self._send_over_new()
        except BaseException:
            self._connection.close()
            raise

    def _send_over_new(self) -> None:
        """Connect the way that the messages go, which the listening connection is not."""
        self._sender: Any = self._connect()
        self._renewed_at = time.monotonic()
        # Behind a pooler the next statement may find another backend.
        self._sender.prepare_threshold = None

    def beat(self) -> Iterator[str]:
        """Send a message to oneself; yield what arrives until it is back.

        Raises TimeoutError if it is not.
        """
        sign = secrets.token_hex(8)
        if time.monotonic() - self._renewed_at >= SENDER_AGE:
            self._sender.close()
            self._send_over_new()
        self._sender.execute("SELECT pg_notify(%s, %s)", [self._own, sign])
        deadline = time.monotonic() + LEASE
        while (left := deadline - time.monotonic()) > 0:
            came = self._came(left)
            yield from (notice.payload for notice in came if notice.channel == CHANNEL)
            if any(notice.payload == sign for notice in came if notice.channel == self._own):
                return
        raise TimeoutError("PostgreSQL does not hand on what is said.")

    def wait(self, seconds: float) -> Iterator[str]:
        """Yield what arrives within `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            yield from (notice.payload for notice in self._came(left) if notice.channel == CHANNEL)

    def _came(self, seconds: float) -> list[Any]:
        """All that is there by the first that arrives within `seconds`."""
        # psycopg's own wait would let nothing else run under eventlet, which replaces this one.
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.select(seconds)
        return list(self._connection.notifies(timeout=0))

    def close(self) -> None:
        """Close both connections."""
        self._sender.close()
        self._connection.close()


class RedisLine:
    """PUBLISH and SUBSCRIBE of Redis."""

    def __init__(self, url: str) -> None:
        self._redis = redis_servers.client(url)
        self._pubsub = self._redis.pubsub()
        self._own = f"{CHANNEL}:{secrets.token_hex(8)}"
        self._pubsub.subscribe(CHANNEL, self._own)
        for _ in range(2):
            if (self._pubsub.get_message(timeout=LEASE) or {}).get("type") != "subscribe":
                self.close()
                raise TimeoutError("Redis does not confirm the subscription.")

    def beat(self) -> Iterator[str]:
        """Send a message to oneself; yield what arrives until it is back.

        Raises TimeoutError if it is not, and ConnectionError at a replica.
        """
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
        """Yield what arrives within `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if message := self._pubsub.get_message(timeout=left):
                yield from self._said(message)

    def _said(self, message: dict[str, Any]) -> Iterator[str]:
        if message["type"] == "subscribe":
            # The library has reconnected; messages in between are lost.
            raise ConnectionError("The line to Redis was cut.")
        if message["type"] == "message" and message["channel"] == CHANNEL.encode():
            yield message["data"].decode()

    def close(self) -> None:
        """Close the connection."""
        self._pubsub.close()


class SentinelLine(RedisLine):
    """A line to the master of a Redis Sentinel. It is cut when the Sentinels say that another one is."""

    def beat(self) -> Iterator[str]:
        connection = self._pubsub.connection
        pool = self._redis.connection_pool
        # Of a failover by hand, too, in which the old one answers on.
        if pool.get_master_address() != (connection.host, connection.port):
            raise ConnectionError("Another Redis is the master.")
        yield from super().beat()


class Listener:
    """The thread. It never gives up: without a line the cache is not trusted, and nothing else happens."""

    def __init__(self) -> None:
        self.error = ""
        # The database that it listens to, if it is one.
        self.alias = ""
        # When the last heartbeat that came round was sent, by the monotonic clock.
        self.heard_at = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices-bus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait until it has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with closing(_open()) as line:
                    self.alias = database.alias()
                    # Whatever was said while there was no line.
                    _missed()
                    self._listen(line)
            except (
                Exception
            ) as error:  # of two libraries, of the network; to be outlived in any case
                if not self.error:
                    logger.warning("The bus is not available: %s", type(error).__name__)
                self.error = type(error).__name__
            finally:
                _missed()
            self._stopped.wait(BEAT)

    def _listen(self, line: Line) -> None:
        while not self._stopped.is_set():
            sent, sent_wall = time.monotonic(), time.time()
            for user_id in line.beat():
                _heard(user_id)
            session_cache.trust(sent + LEASE, sent_wall + LEASE)
            self.heard_at = sent
            self.error = ""
            for user_id in line.wait(BEAT):
                _heard(user_id)


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
    """Stop listening, if this process does."""
    global _listener
    if _listener is not None:
        _listener.stop()
        _listener = None


def on_heard(hearer: Callable[[str | None], None]) -> None:
    """Call this, from any thread, with the id of each user about whose sessions something changed.

    Changes in this process are heard without a bus, too. Called with None if something may have been missed.
    Asking twice changes nothing.
    """
    if hearer not in _hearers:
        _hearers.append(hearer)


def publish(user_ids: Iterable[Any]) -> None:
    """Say that something changed about these users' sessions; it is heard when, and if, it is committed.

    From then on no process uses what it has cached of these users and their sessions.
    """
    url, names = conf.BUS, sorted({str(user_id) for user_id in user_ids})
    if not names:
        return
    # In this process at once, so that the caller sees the change.
    database.on_commit(lambda: _forget(names))
    if url is None:
        return
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


def tells_all(alias: str) -> bool:
    """Whether this process hears of every change on this database as it is committed, by whatever program.

    What is changed by SQL only PostgreSQL tells, by its triggers.
    """
    return is_postgres(conf.BUS or "") and hears(alias) and session_cache.is_trusted


def error() -> str:
    """Why this process hears nothing; empty if it does, or has not tried."""
    return _listener.error if _listener is not None else ""


def status() -> dict[str, Any]:
    """What this process has to say about its cache of sessions and the bus. No secrets."""
    if conf.LIVENESS != "cached":
        return {"mode": conf.LIVENESS}
    return {
        "mode": "cached",
        "bus": "alive" if session_cache.is_trusted else error() or "off",
        "size": len(session_cache),
        "hits": session_cache.hits,
        "misses": session_cache.misses,
    }


def age() -> float | None:
    """Seconds since this process last heard the bus, or began to listen; None if it does not listen."""
    return time.monotonic() - _listener.heard_at if _listener is not None else None


def _forget(names: Iterable[str]) -> None:
    for name in names:
        _heard(name)


def _heard(user_id: str) -> None:
    if conf.LIVENESS == "cached":
        session_cache.invalidate(user_id)
    for hearer in _hearers:
        hearer(user_id)


def _missed() -> None:
    session_cache.invalidate_all()
    for hearer in _hearers:
        hearer(None)


def _publish_to_redis(url: str, names: list[str]) -> None:
    begin = time.monotonic()
    try:
        try:
            _send_to_redis(url, names)
        except Exception:
            # A connection that was idle may be one that a firewall has forgotten; the next is a new one.
            # Twice is no harm. Nobody waits twice for a bus that is known to be away, or for a name server.
            if error() or time.monotonic() - begin > 2 * redis_servers.PATIENCE:
                raise
            _send_to_redis(url, names)
    except Exception as failure:  # it is committed; the others learn of it when theirs is too old
        logger.error("Could not publish on the bus that sessions ended: %s", type(failure).__name__)


def _send_to_redis(url: str, names: list[str]) -> None:
    redis = redis_servers.client(url)
    if redis_servers.is_sentinel(url):
        # After a failover by hand the old master still takes messages: this drops connections to it.
        redis.connection_pool.get_master_address()
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.publish(CHANNEL, name)
        pipeline.execute()


def _open() -> Line:
    url = conf.BUS
    if url is None:
        raise ConnectionError("There is no bus.")
    if is_postgres(url):
        return PostgresLine(url)
    is_sentinel = redis_servers.is_sentinel(url)
    return SentinelLine(url) if is_sentinel else RedisLine(url)


def _after_fork() -> None:
    global _listener, _starting
    _listener, _starting = None, threading.Lock()
    session_cache.after_fork()


os.register_at_fork(after_in_child=_after_fork)
