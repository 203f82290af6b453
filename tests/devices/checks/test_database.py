"""What the database is asked: whether it is a PostgreSQL, and whose tables it has."""

import pytest
from django.db import connections

from devices.checks import check_databases, database
from devices.core.liveness import db_triggers

VERSIONS = {
    "PostgreSQL 15.10 (Debian 15.10-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc": [],
    "PostgreSQL 16.4 on aarch64-unknown-linux-gnu, compiled by aarch64-unknown-linux-gnu-gcc": [],
    "CockroachDB CCL v24.1.5 (x86_64-pc-linux-gnu, built 2024/09/18)": ["devices.E075"],
    "PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang": ["devices.E075"],
    "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.73": ["devices.E075"],
    "PostgreSQL 12.12 (Greenplum Database 7.1.0 build) on x86_64": ["devices.E075"],
    "CrateDB 5.7.2 (built 1a2b3c4)": ["devices.E075"],
}


class Cursor:
    def __init__(self, version):
        self.version, self.asked = version, ""

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def execute(self, sql):
        self.asked = sql

    def fetchone(self):
        return [self.version] if "version" in self.asked else ["on", "", 0]


@pytest.mark.django_db
def test_migrations_of_an_earlier_app_of_this_label_are_told():
    """They are applied, so that `migrate` makes none of our tables, and says nothing."""

    def told():
        return [each.id for each in check_databases(["default"]) if each.id == "devices.E184"]

    assert told() == []
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE devices_devicesession RENAME TO machines_devicesession")
        assert told() == ["devices.E184"]
        assert check_databases([]) == []
        # As before the first `migrate`.
        cursor.execute("DELETE FROM django_migrations WHERE app = 'devices'")
        assert told() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("vendor", "change"),
    [
        ("sqlite", "DROP TRIGGER devices_account_changed"),
        ("postgresql", "DROP FUNCTION devices_account_changed CASCADE"),
        ("postgresql", "DROP FUNCTION devices_session_deleted CASCADE"),
        # A restore of the data alone.
        ("postgresql", "ALTER TABLE accounts_user DISABLE TRIGGER ALL"),
        # The functions go on naming the tables of before, and each change of an account fails.
        ("postgresql", "ALTER SCHEMA public RENAME TO app; SET LOCAL search_path = app"),
    ],
)
def test_triggers_that_are_not_those_of_migrate_are_told(vendor, change):
    here = connections["default"]
    if here.vendor != vendor:
        pytest.skip(f"NO {vendor.upper()}: it is another database")

    def told():
        return [each.id for each in check_databases(["default"]) if each.id == "devices.W167"]

    assert told() == []
    with here.cursor() as cursor:
        cursor.execute(change)
        assert told() == ["devices.W167"] and check_databases([]) == []
        db_triggers.install("default")
        assert told() == []
        # As before the first `migrate`.
        cursor.execute("ALTER TABLE devices_devicesession RENAME TO machines_devicesession")
        assert told() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, False),
        ({"REVOCATION_COMMIT": "on"}, True),
        ({"FEED": True}, True),
        # Of a setting that is wrong another check tells.
        ({"REVOCATION_COMMIT": "local"}, False),
    ],
)
def test_triggers_of_other_settings_are_told(settings, changes, told):
    if connections["default"].vendor != "postgresql":
        pytest.skip("NO POSTGRESQL: triggers of SQLite are the same with all settings")
    settings.DEVICES = {**settings.DEVICES, **changes}
    reported = [each.id for each in check_databases(["default"])]
    assert ("devices.W167" in reported) == told


@pytest.mark.parametrize(("version", "expected"), VERSIONS.items())
def test_a_server_that_looks_like_postgresql_is_refused(monkeypatch, version, expected):
    connection = connections["default"]
    monkeypatch.setattr(type(connection), "vendor", "postgresql")
    monkeypatch.setattr(connection, "cursor", lambda: Cursor(version))
    assert [message.id for message in database.check_database(["default"])] == expected
    assert check_databases([]) == []


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_database_that_takes_no_changes_is_refused():
    """As a standby says, too."""
    connection = connections["default"]
    if connection.vendor != "postgresql":
        pytest.skip("transaction_read_only is PostgreSQL's (DATABASE_URL)")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    assert [message.id for message in check_databases(["default"])] == ["devices.E177"]
    assert check_databases([]) == []


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("read uncommitted", []),
        ("read committed", []),
        ("repeatable read", ["devices.W076"]),
        ("serializable", ["devices.W076"]),
    ],
)
def test_what_the_role_has_set_is_known(level, expected):
    """By `ALTER ROLE`, by the database, by the server's file, or by OPTIONS["options"]."""
    connection = connections["default"]
    if connection.vendor != "postgresql":
        pytest.skip("default_transaction_isolation is PostgreSQL's (DATABASE_URL)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('default_transaction_isolation', %s, true)", [level])
    found = [message.id for message in check_databases(["default"])]
    assert [each for each in found if each == "devices.W076"] == expected
    assert check_databases([]) == []


class Pgpool(Cursor):
    """What Pgpool-II answers itself."""

    def __init__(self, **values):
        self.values = values

    def fetchone(self):
        return [self.values[self.asked.removeprefix("PGPOOL SHOW ")]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asks_standbys", "patterns", "caches", "tables", "expected"),
    [
        ("on", "", "off", "", ["devices.E077"]),
        ("on", ".*orders.*", "off", "", ["devices.E077"]),
        ("on", ".*orders.*,.*devices_.*", "off", "", []),
        ("off", "", "off", "", []),
        ("off", "", "on", "", ["devices.E078"]),
        ("off", ".*devices_.*", "on", ".*orders.*", ["devices.E078"]),
        ("off", "", "on", ".*orders.*,.*devices_.*", []),
        ("on", "", "on", "", ["devices.E077", "devices.E078"]),
    ],
)
def test_a_pooler_that_asks_standbys_or_a_cache_is_refused(
    monkeypatch, asks_standbys, patterns, caches, tables, expected
):
    answers = {
        "load_balance_mode": asks_standbys,
        "primary_routing_query_pattern_list": patterns,
        "memory_cache_enabled": caches,
        "cache_unsafe_memqcache_table_list": tables,
    }
    connection = connections["default"]
    monkeypatch.setattr(type(connection), "vendor", "postgresql")
    monkeypatch.setattr(connection, "cursor", lambda: Pgpool(**answers))
    # Within a transaction its own answers put the state of the connection in disorder.
    assert list(database.check_pgpool(["default"])) == []
    monkeypatch.setattr(connection, "get_autocommit", lambda: True)
    assert [message.id for message in database.check_pgpool(["default"])] == expected
    assert list(database.check_pgpool([])) == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_that_pooler_nothing_is_said_and_nothing_is_lost():
    connection = connections["default"]
    if connection.vendor != "postgresql":
        pytest.skip("Pgpool-II stands before PostgreSQL (DATABASE_URL)")
    assert list(database.check_pgpool(["default"])) == []
    assert connection.is_usable()
