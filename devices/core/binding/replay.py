"""Each proof works once, over all processes: the database or Redis decides which request was first.

The only writer of UsedProof. Its size is bounded: a proof is stored only after its signature and claims were
verified, and later requests delete it after it has expired.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from jwt.utils import base64url_encode

from devices.conf import conf
from devices.core import database, redis_servers
from devices.models import UsedProof

DATABASE: Final = "database"
# One in so many deletes the first so many that are over.
TURN: Final = 32
PER_TURN: Final = 320


def use(thumbprint: str, jti: str, kept: timedelta) -> bool:
    """Use up a proof, which is remembered for so long. False if it was used before.

    Raises OperationalError if that is unknown; access is refused then.
    """
    digest = hashlib.sha256(f"{thumbprint}\0{jti}".encode(errors="surrogatepass")).digest()
    name = base64url_encode(digest).decode()
    if conf.DPOP_STORE != DATABASE:
        return _use_in_redis(conf.DPOP_STORE, name, kept)
    now = timezone.now()
    with _connection() as connection:
        is_first = _insert(connection, name, now + kept)
    if is_first and digest[0] % TURN == 0:
        purge(PER_TURN)
    return is_first


def purge(limit: int) -> int:
    """Delete at most so many whose time is over, and return how many."""
    over = UsedProof.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    with database.atomic():
        keys = list(over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        return UsedProof.objects.filter(pk__in=keys).delete()[0]


def _insert(connection: BaseDatabaseWrapper, name: str, until: datetime) -> bool:
    # One statement, which waits for another of the same name and tells by its count who was first.
    table, key, expires = map(
        connection.ops.quote_name, (UsedProof._meta.db_table, "key", "expires_at")
    )
    source = "VALUES (%s, %s)"
    if database.commits_alone(connection):
        # Waiting for the disk would be most of the request.
        setting = f"(SELECT {database.COMMIT_ASYNCHRONOUSLY}) AS setting"
        source = f"SELECT %s, %s::timestamptz FROM {setting}"
    moment = connection.ops.adapt_datetimefield_value(until)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({key}, {expires}) {source} ON CONFLICT DO NOTHING",
            [name, moment],
        )
        return bool(cursor.rowcount)


@contextmanager
def _connection() -> Iterator[BaseDatabaseWrapper]:
    """The thread's own; within a transaction another one: what is used up stays so if that is rolled back.

    SQLite lets one connection write at a time, so there it is always the thread's own.
    """
    connection = database.connection()
    if connection.vendor == "sqlite" or not database.is_within_transaction():
        yield connection
        return
    another: BaseDatabaseWrapper = connections.create_connection(database.alias())
    _, schema = database.place()
    if schema:
        # It begins in the schema that all tenants share.
        another.set_schema(schema)  # type: ignore[attr-defined]
    try:
        yield another
    finally:
        another.close()


def _use_in_redis(url: str, name: str, kept: timedelta) -> bool:
    import redis

    _, schema = database.place()
    try:
        answer = redis_servers.client(url).set(
            f"devices:dpop:{schema}:{name}", b"", nx=True, px=int(kept.total_seconds() * 1000)
        )
    except redis.RedisError as error:
        # Which error says whether it is away, full, a replica, or a node of a Cluster.
        raise OperationalError(
            f"The Redis that remembers used proofs does not take them: {type(error).__name__}"
        ) from error
    return bool(answer)
