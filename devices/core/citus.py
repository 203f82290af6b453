"""Citus: sessions and their log are spread over its workers by user; each has a copy of the users.

All other tables stay on the coordinator. So rows of many users are locked part by part, each on one shard.
On any other database all users are one part.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission, PermissionsMixin
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet

from devices.conf import conf
from devices.core import database
from devices.models import Activity, DeviceSession

# By user. What a user has in one of them is on the same worker as what they have in the other.
SPREAD: Final[tuple[type[Model], ...]] = (DeviceSession, Activity)
# Any number: apart from the advisory locks of others.
LOGINS: Final = 0x64657673


def parts(rows: Iterable[tuple[Any, Any]]) -> Iterator[Q]:
    """Conditions that select these rows, given by their keys and users; each selects those of one shard."""
    keys = list(rows)
    if not conf.CITUS:
        yield Q(pk__in=[pk for pk, _ in keys])
        return
    connection, user = database.connection(), DeviceSession._meta.get_field("user")
    table = _quoted(DeviceSession._meta.db_table)
    shards = _rows(
        f"SELECT array_agg(key) FROM unnest(%s::{user.db_type(connection)}[]) AS key"
        " GROUP BY get_shard_id_for_distribution_column(%s, key)",
        [[user.get_db_prep_value(key, connection) for key in {key for _, key in keys}], table],
    )
    for (users,) in shards:
        here = set(users)
        yield Q(pk__in=[pk for pk, user_id in keys if user_id in here], user_id__in=users)


def write_locked(
    due: QuerySet, column: str, limit: int, write: Callable[[QuerySet, list[Any]], object]
) -> None:
    """Lock the first of these rows in the order of a column, but for those that somebody holds; write them.

    `write` is called for the rows of each shard, in a transaction that holds them, with a set to write them
    by, and with the rows.
    """
    due = due.order_by(column)

    def write_part(part: Q) -> bool:
        with database.atomic():
            mine = list(due.filter(part).select_for_update(skip_locked=True)[:limit])
            write(due.model._default_manager.filter(part), mine)
        return bool(mine)

    if not conf.CITUS:
        write_part(Q())
        return
    # Which rows are held is not known before their shard is asked: a batch of which all are is passed over.
    begin, is_done = 0, False
    while not is_done:
        with reading_in_turn():
            keys = list(due.values_list("pk", "user_id")[begin : begin + limit])
        if not keys:
            return
        for part in parts(keys):
            is_done |= write_part(part)
        begin += limit


@contextmanager
def reading_in_turn() -> Iterator[None]:
    """Read one shard of each worker after the other: all at once would leave requests no CPU time."""
    if not conf.CITUS:
        yield
        return
    with database.atomic():
        _run("SET LOCAL citus.max_adaptive_executor_pool_size TO 1")
        yield


def serialize_logins(user_id: Any) -> None:
    """Have other logins of a user, and changes of their account, wait for the end of this transaction.

    A lock on the row of a user would be one on all users: Citus has a copy of them on each node.
    """
    with database.connection().cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOGINS, str(user_id)])


def write_in_turn() -> None:
    """Have this transaction write on one shard after the other.

    After a write on many at once, Citus refuses one of the users, whom they refer to.
    """
    if conf.CITUS:
        _run("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")


class Table(NamedTuple):
    """How a table has to be: "distributed", or "reference", which is a copy on each node."""

    name: str
    kind: str
    rows: int = 0


def state() -> str:
    """Why the tables cannot be spread on this database; empty if they can."""
    if database.connection().vendor != "postgresql":
        return "This is no PostgreSQL."
    if not _rows("SELECT 1 FROM pg_extension WHERE extname = 'citus'"):
        return "The extension citus is not installed."
    if _rows("SELECT NOT citus_is_coordinator()") == [(True,)]:
        return "This is a worker. Connect to the coordinator."
    if not _rows("SELECT 1 FROM pg_dist_node WHERE groupid = 0"):
        return "The coordinator is no node of its own cluster: call citus_set_coordinator_host()."
    return ""


def is_spread() -> bool:
    """Whether the sessions in this database are spread over workers."""
    is_citus = "SELECT 1 FROM pg_class WHERE oid = to_regclass('pg_catalog.pg_dist_partition')"
    return bool(_rows(is_citus)) and _kind(DeviceSession._meta.db_table) == "distributed"


def plan() -> list[Table]:
    """The tables that are not yet as they have to be, in the order in which they are made so."""
    user: Any = get_user_model()
    copied: list[Any] = [*user._meta.get_parent_list(), user]
    if issubclass(user, PermissionsMixin):
        # Staff do not see the sessions of users with more rights: each worker looks that up.
        rights = (Group.permissions, user.groups, user.user_permissions)
        copied += [ContentType, Permission, Group, *(each.through for each in rights)]
    if apps.is_installed("devices.contrib.audit"):
        copied.append(apps.get_model("devices_audit.ChainLink"))
    wanted = [(model, "reference") for model in copied] + [(m, "distributed") for m in SPREAD]
    return [
        Table(table, kind, _rows(f"SELECT count(*) FROM {_quoted(table)}")[0][0])
        for table, kind in dict.fromkeys((model._meta.db_table, kind) for model, kind in wanted)
        if _kind(table) != kind
    ]


def distribute(tables: Iterable[Table]) -> None:
    """Make these tables as they have to be, in one transaction, which locks them until it is done."""
    tables = list(tables)
    counted = _last_numbers()
    spread = [_quoted(table.name) for table in tables if table.kind == "distributed"]
    with database.atomic():
        # The foreign keys between them need that, too.
        _run("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        # What refers to the users becomes a table of Citus, too, and could not be spread then.
        foreign = _rows(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
            [spread],
        )
        for table, name, _ in foreign:
            _run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for each in tables:
            if each.kind == "reference":
                _run("SELECT create_reference_table(%s)", [_quoted(each.name)])
        for table in spread:
            # A key has to hold the user. An id is unique all the same: by its random bits, or a sequence.
            [(name,)] = _rows(
                "SELECT quote_ident(conname) FROM pg_constraint"
                " WHERE contype = 'p' AND conrelid = %s::regclass",
                [table],
            )
            _run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            _run(f"ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY (id, user_id)")
            with_sessions = "default" if table == spread[0] else spread[0]
            _run(
                "SELECT create_distributed_table(%s, 'user_id', colocate_with => %s)",
                [table, with_sessions],
            )
        for table, name, definition in foreign:
            _run(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for each in tables:
            # What it was made of is still there, and not seen any more.
            _run("SELECT truncate_local_data_after_distributing_table(%s)", [_quoted(each.name)])
        # Citus has made those anew that refer to the users, such as the login history: they count from 1.
        now = _last_numbers()
        for column, last in counted.items():
            if last > now.get(column, 0):
                _run("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [*column, last])


def _last_numbers() -> dict[tuple[str, str], int]:
    """The number that each column that counts by itself gave last, by the table and the column."""
    counted = _rows(
        "SELECT refobjid::regclass::text, attname, pg_sequence_last_value(seqrelid)"
        " FROM pg_sequence JOIN pg_depend ON objid = seqrelid AND deptype = 'i'"
        " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
        " WHERE pg_sequence_last_value(seqrelid) IS NOT NULL"
    )
    return {(table, column): last for table, column, last in counted}


def _kind(table: str) -> str:
    found = _rows(
        "SELECT citus_table_type FROM citus_tables WHERE table_name = to_regclass(%s)",
        [_quoted(table)],
    )
    return found[0][0] if found else ""


def _quoted(table: str) -> str:
    return database.connection().ops.quote_name(table)


def _rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with database.connection().cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _run(sql: str, parameters: Sequence[Any] = ()) -> None:
    with database.connection().cursor() as cursor:
        cursor.execute(sql, parameters)
