"""The database: whether it can do what sessions need, and what it commits, rolls back and may lose."""

import re
import sqlite3
from collections.abc import Iterator, Sequence

from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt.views import TokenViewBase

from devices.conf import Conf
from devices.core import database
from devices.core.liveness import db_triggers
from devices.models import DeviceSession

from .names import EXTEND_HANDLER
from .paths import import_path
from .urls import views

# Where `UPDATE … RETURNING` came.
OLDEST_SQLITE = (3, 35)
# What each lacks that sessions rest on.
UNSUPPORTED = {
    "mysql": "it has no UPDATE … RETURNING, no FOR NO KEY UPDATE and no partial indexes",
    "oracle": "it was never run on it",
}
# What `version()` says of servers that Django's engine for PostgreSQL can speak with, and that are others.
LOOK_ALIKES = re.compile(
    r"CockroachDB|-YB-|Yugabyte|Redshift|Greenplum|CrateDB|Materialize|RisingWave|QuestDB",
    re.IGNORECASE,
)


def check_database(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the server of the sessions, if it is among these, whether it is a PostgreSQL."""
    alias = router.db_for_write(DeviceSession)
    if alias not in databases or connections[alias].vendor != "postgresql":
        return
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT version()")
        [version] = cursor.fetchone()
    if not version.startswith("PostgreSQL ") or LOOK_ALIKES.search(version):
        yield Error(
            f"The server is not a PostgreSQL but {version[:60]!r}: the app was never run on it.",
            hint="Triggers, row locks and LISTEN differ there. Use PostgreSQL; see docs/platforms.md.",
            id="devices.E075",
        )


def check() -> Iterator[CheckMessage]:
    """Check the engine, REVOCATION_COMMIT and ATOMIC_REQUESTS."""
    yield from _engine()
    yield from _level()
    yield from _atomic()


def _engine() -> Iterator[CheckMessage]:
    """Check that the database of the sessions is supported, and that it also has the users."""
    alias, user = router.db_for_write(DeviceSession), get_user_model()
    connection = connections[alias]
    if router.db_for_write(user) != alias:
        yield Error(
            f"Sessions are written to the database '{alias}', and users to "
            f"'{router.db_for_write(user)}'.",
            hint="Let DATABASE_ROUTERS use one database for both: each session refers to its user.",
            id="devices.E074",
        )
    if connection.vendor not in ("postgresql", "sqlite"):
        why = UNSUPPORTED.get(connection.vendor, UNSUPPORTED["oracle"])
        yield Error(
            f"Sessions cannot be stored in {connection.display_name}: {why}.",
            hint="Use PostgreSQL or SQLite; see docs/platforms.md.",
            id="devices.E071",
        )
    if connection.vendor == "postgresql" and _is_snapshot(connection):
        yield _fails_at_meetings("isolation_level")
    if connection.vendor == "sqlite" and sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield Error(
            f"SQLite {sqlite3.sqlite_version} is too old: it has no UPDATE … RETURNING.",
            hint="Use SQLite 3.35 or newer, or PostgreSQL.",
            id="devices.E072",
        )


def _is_snapshot(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction does not see what others commit meanwhile, and fails where it meets them."""
    levels = import_string("django.db.backends.postgresql.psycopg_any.IsolationLevel")
    given = connection.settings_dict["OPTIONS"].get("isolation_level")
    return given in (levels.REPEATABLE_READ, levels.SERIALIZABLE)


def check_isolation(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, what a role, a database or a server has set."""
    if database.alias() not in databases or database.connection().vendor != "postgresql":
        return
    name = "default_transaction_isolation"
    with database.connection().cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        [level] = cursor.fetchone()
    if level in ("repeatable read", "serializable") and not _is_snapshot(database.connection()):
        yield _fails_at_meetings(name)


def check_changes(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, whether it takes changes."""
    if database.alias() not in databases or database.connection().vendor != "postgresql":
        return
    with database.connection().cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        [is_read_only] = cursor.fetchone()
    if is_read_only == "on":
        yield Error(
            "The database of the sessions takes no changes: logins, refreshes and sign-outs fail with 503.",
            hint="It is a standby, or its role or database has default_transaction_read_only. Connect to "
            "the primary; with several hosts by target_session_attrs=read-write.",
            id="devices.E177",
        )


# Who answers reads: standbys, except for statements like these; a cache, except for tables like these.
PGPOOL = (
    "load_balance_mode",
    "primary_routing_query_pattern_list",
    "memory_cache_enabled",
    "cache_unsafe_memqcache_table_list",
)


def check_pgpool(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask Pgpool-II, if one stands before the database of the sessions, who else answers there."""
    # It takes a transaction for ended when it answers by itself.
    if database.alias() not in databases or not database.commits_alone(database.connection()):
        return
    try:
        mode, primary, cache, unsafe = map(_pgpool, PGPOOL)
    except DatabaseError:
        return  # PostgreSQL itself knows no such statement.
    if mode == "on" and "devices" not in primary:
        yield Error(
            "Pgpool-II has standbys answer whether a session is active: one that has ended goes on for as "
            "long as they are behind, and new tokens are refused.",
            hint="Set its primary_routing_query_pattern_list to '.*devices_.*', or switch off "
            "load_balance_mode; see docs/platforms.md.",
            id="devices.E077",
        )
    if cache == "on" and "devices" not in unsafe:
        yield Error(
            "The query cache of Pgpool-II answers whether a session is active: one that was ended over "
            "another connection goes on.",
            hint="Set its cache_unsafe_memqcache_table_list to '.*devices_.*', or switch off "
            "memory_cache_enabled; see docs/platforms.md.",
            id="devices.E078",
        )


def _pgpool(name: str) -> str:
    with database.connection().cursor() as cursor:
        cursor.execute(f"PGPOOL SHOW {name}")
        [value] = cursor.fetchone()
    return str(value)


def _fails_at_meetings(name: str) -> CheckMessage:
    return checks.Warning(
        f"With this {name}, requests that meet at one account or session fail with "
        "'could not serialize access': the API answers 503, and saving or deleting a user raises.",
        hint=f"Leave {name} out, which is READ COMMITTED, or repeat what fails.",
        id="devices.W076",
    )


LEVELS = (None, "on", "remote_apply")


def _level() -> Iterator[CheckMessage]:
    """Check that REVOCATION_COMMIT has one of its values."""
    if Conf().REVOCATION_COMMIT not in LEVELS:
        yield Error(
            "DEVICES['REVOCATION_COMMIT'] is neither None nor 'on' nor 'remote_apply'.",
            hint="Lower levels do not wait for a standby's disk; see docs/settings.md.",
            id="devices.E150",
        )


def check_durability(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these."""
    level = Conf().REVOCATION_COMMIT
    is_asked = database.alias() in databases and database.connection().vendor == "postgresql"
    if not is_asked or level not in LEVELS:
        return
    commit, names, replicas = database.replication()
    order = database.COMMITS
    commit = max(commit, level or "off", key=order.index)
    if replicas and not names:
        yield checks.Warning(
            "After a failover an ended session may be active again: no standby is synchronous.",
            hint="Set synchronous_standby_names; see docs/recipes/failover.md.",
            id="devices.W151",
        )
    if commit == "off" or (replicas and order.index(commit) < order.index("on")):
        yield checks.Warning(
            "After a crash of the database an ended session may be active again: synchronous_commit"
            f" is {commit}.",
            hint="Set DEVICES['REVOCATION_COMMIT'] to 'on', and run migrate; the rest can stay as it is.",
            id="devices.W152",
        )


def check_rights(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, what its role may do there."""
    if database.alias() not in databases:
        return
    if missing := database.missing_rights():
        rights = {table: [need for name, need in missing if name == table] for table, _ in missing}
        told = ", ".join(f"{' and '.join(needs)} on {table}" for table, needs in rights.items())
        yield Error(
            f"Logins fail with 500: the role of the database lacks the right to {told}.",
            hint="Grant it; see docs/operations.md.",
            id="devices.E154",
        )
    if hidden := database.hidden_tables():
        yield Error(
            "Each session is refused, and logins fail with 500: row-level security hides all rows from the"
            f" role of the database in {', '.join(sorted(hidden))}.",
            hint="Add policies for the role, or give it BYPASSRLS; see docs/operations.md.",
            id="devices.E155",
        )


def check_sequences(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, whether new rows can be inserted."""
    if database.alias() not in databases:
        return
    if late := database.late_sequences():
        labels = " ".join(sorted({model._meta.app_label for model in late}))
        yield Error(
            "Logins and sign-outs fail: the next number of a row is taken in "
            + ", ".join(sorted(model._meta.db_table for model in late)),
            hint=f"Run `manage.py sqlsequencereset {labels} | manage.py dbshell`, and so for your own apps. "
            "Logical replication brings no sequences; see docs/recipes/new-server.md.",
            id="devices.E153",
        )


def check_triggers(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, whether its triggers are those of `migrate`."""
    alias = database.alias()
    # Of a wrong level E150 tells, and no trigger can be made for it.
    is_asked = alias in databases and Conf().REVOCATION_COMMIT in LEVELS
    if is_asked and not db_triggers.is_complete(alias):
        yield checks.Warning(
            "Who is deactivated by SQL or another program may stay signed in, or each change of an account "
            "fails: triggers of the app are missing, disabled or different.",
            hint="Run migrate. A restore may leave triggers out or disabled, a schema that is renamed "
            "leaves the old name in their functions, and FEED and REVOCATION_COMMIT change them.",
            id="devices.W167",
        )


def check_history(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these, whose migrations "devices" were applied."""
    if database.alias() not in databases:
        return
    here, table = database.connection(), DeviceSession._meta.db_table
    applied = {app for app, _ in MigrationRecorder(here).applied_migrations()}
    if "devices" in applied and table not in here.introspection.table_names():
        yield Error(
            f"Migrations of devices are applied, and there is no table {table}: they were those of "
            "another app with this label. Each login is answered with 500.",
            hint="If that app is gone, run DELETE FROM django_migrations WHERE app = 'devices', and then "
            "migrate. If it has another label now, see docs/existing-project.md.",
            id="devices.E184",
        )


def is_atomic() -> bool:
    """Return whether the requests of a database are transactions (ATOMIC_REQUESTS)."""
    return any(each.get("ATOMIC_REQUESTS") for each in connections.settings.values())


def _atomic() -> Iterator[CheckMessage]:
    """Check that ATOMIC_REQUESTS does not roll revocations back."""
    if not is_atomic():
        return
    if not getattr(drf.api_settings.EXCEPTION_HANDLER, "knows_sessions", False):
        yield Error(
            "With ATOMIC_REQUESTS, a revocation that is answered with 401 would be rolled back.",
            hint=EXTEND_HANDLER,
            id="devices.E016",
        )
    atomic = {
        import_path(cls)
        for view in views()
        if issubclass(cls := getattr(view, "view_class", object), TokenViewBase)
        and not getattr(view, "_non_atomic_requests", None)
    }
    if atomic:
        yield Error(
            "With ATOMIC_REQUESTS, the count of failed logins, and what a refusal ends, would be rolled "
            f"back: {', '.join(sorted(atomic))}.",
            hint="Wrap each in django.db.transaction.non_atomic_requests in your URLs, as "
            "non_atomic_requests(TokenObtainPairView.as_view()), or include devices.api.urls.tokens.",
            id="devices.E017",
        )
