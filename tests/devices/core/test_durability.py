"""What ends sessions waits until it cannot be lost, as REVOCATION_COMMIT says, and nothing else does."""

from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from io import StringIO
from unittest.mock import Mock

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction

from devices.checks import check_databases
from devices.checks.database import check_durability
from devices.core import database, sessions, throttling
from devices.core.binding import replay
from devices.core.clients.client import Client
from devices.core.liveness import db_triggers
from devices.models import DeviceSession, LoginThrottle, RevokeReason, UsedProof
from tests.client import FIREFOX

postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="NO COMMITS: PostgreSQL alone has synchronous_commit"
)


def use(settings, level):
    settings.DEVICES = {**settings.DEVICES, "REVOCATION_COMMIT": level}


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def level():
    return execute("SHOW synchronous_commit")[0][0]


@pytest.fixture
def asynchronous():
    execute("SET LOCAL synchronous_commit = off")


def change_password(alice, session):
    sessions.change_password(alice, "another horse battery 9", keep=session)


def deactivate(alice, session):
    alice.is_active = False
    alice.save()


ENDS = {
    "revoke": lambda alice, session: sessions.revoke(session, reason=RevokeReason.USER),
    "revoke_all": lambda alice, session: sessions.revoke_all(alice, reason=RevokeReason.USER_ALL),
    "revoke_batch": lambda alice, session: sessions.revoke_batch(
        [session], reason=RevokeReason.ADMIN
    ),
    "logout": lambda alice, session: sessions.logout(session),
    "change_password": change_password,
    "deactivate": deactivate,
    "delete": lambda alice, session: alice.delete(),
}


@postgresql
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_whatever_ends_sessions_commits_as_the_setting_says(
    settings, alice, sign_in, asynchronous, end
):
    device = sign_in(alice)
    session = DeviceSession.objects.get(pk=device.session_id)
    use(settings, "on")
    assert level() == "off"
    end(alice, session)
    assert level() == "on"


@postgresql
def test_without_the_setting_it_stays_as_the_database_has_it(alice, sign_in, asynchronous):
    sign_in(alice)
    sessions.revoke_all(alice, reason=RevokeReason.USER_ALL)
    assert level() == "off"


@postgresql
def test_it_never_waits_for_less_than_the_database_does(settings, alice, sign_in):
    sign_in(alice)
    use(settings, "on")
    execute("SET LOCAL synchronous_commit = remote_apply")
    sessions.revoke_all(alice, reason=RevokeReason.USER_ALL)
    assert level() == "remote_apply"


@postgresql
def test_a_login_or_a_refresh_that_ends_nothing_is_not_held_up(
    settings, alice, sign_in, asynchronous
):
    use(settings, "on")
    sign_in(alice).rotate()
    # Nor is one for which there is nothing left to end.
    sign_in(alice, FIREFOX)
    assert level() == "off"


@postgresql
@pytest.mark.parametrize(
    "change",
    [
        lambda: get_user_model().objects.update(is_active=False),
        lambda: get_user_model().objects.update(password="!"),
        lambda: DeviceSession.objects.all()._raw_delete("default"),
    ],
    ids=["deactivated", "password", "deleted"],
)
def test_so_do_the_triggers_for_other_programs(settings, alice, sign_in, asynchronous, change):
    sign_in(alice)
    use(settings, "on")
    db_triggers.install("default")
    change()
    assert level() == "on"


@postgresql
def test_a_migrate_takes_it_back_when_the_setting_goes(settings, alice, sign_in, asynchronous):
    sign_in(alice)
    use(settings, "on")
    db_triggers.install("default")
    use(settings, None)
    db_triggers.install("default")
    get_user_model().objects.update(is_active=False)
    assert level() == "off"


@pytest.fixture
def levels(transactional_db):
    """How the transactions commit that change rows of these tables."""
    execute("CREATE TABLE levels (level text)")
    execute(
        "CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO levels VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
    )
    for model in (DeviceSession, LoginThrottle, UsedProof):
        execute(
            f"CREATE TRIGGER note AFTER INSERT OR UPDATE ON {model._meta.db_table}"
            " FOR EACH ROW EXECUTE FUNCTION note_level()"
        )
    yield lambda: [level for [level] in execute("DELETE FROM levels RETURNING level")]
    execute("DROP FUNCTION note_level CASCADE")
    execute("DROP TABLE levels")


@postgresql
def test_counting_an_attempt_waits_for_no_disk(levels, alice):
    begin = partial(throttling.begin, alice.email, Client("203.0.113.7"))
    begin().failed()  # The first time makes the rows.
    levels()
    begin().failed()
    begin().succeeded()
    assert levels() == ["off"] * 6
    assert level() == "on"


@postgresql
def test_remembering_a_proof_waits_for_no_disk(levels):
    assert replay.use("a key", "a proof", timedelta(minutes=1))
    assert levels() == ["off"]
    assert level() == "on"


@postgresql
def test_noting_activity_waits_for_no_disk_but_for_what_tells_of_replays(
    levels, alice, sign_in, clock
):
    device = sign_in(alice)
    assert device.is_in()
    clock.shift(61)
    levels()
    assert device.is_in()
    assert levels() == ["off"]
    device.rotate()
    levels()
    assert device.is_in()
    assert levels() == ["on"]


@postgresql
@pytest.mark.parametrize("is_atomic", [True, False], ids=["atomic", "committing by itself"])
def test_what_the_host_commits_waits_as_the_host_says(levels, alice, is_atomic):
    transaction.set_autocommit(False)
    try:
        with transaction.atomic() if is_atomic else nullcontext():
            attempt = throttling.begin(alice.email, Client("203.0.113.7"))
            attempt.succeeded()
            throttling.begin(alice.email, Client("203.0.113.7")).failed()
            if not is_atomic:
                assert replay.use("a key", "a proof", timedelta(minutes=1))
            assert set(levels()) == {"on"}
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite")
def test_it_is_nothing_to_sqlite(settings, alice, sign_in):
    device = sign_in(alice)
    use(settings, "on")
    assert device.post("/api/logout").status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("commit", "names", "replicas", "setting", "ids"),
    [
        ("on", "", 0, None, []),
        ("local", "", 0, None, []),
        ("off", "", 0, None, ["W152"]),
        ("off", "", 0, "on", []),
        ("on", "", 1, None, ["W151"]),
        ("on", "", 1, "remote_apply", ["W151"]),
        ("on", "ANY 1 (a, b)", 2, None, []),
        ("local", "*", 1, None, ["W152"]),
        ("remote_write", "*", 1, None, ["W152"]),
        ("off", "*", 1, "on", []),
        ("off", "", 1, None, ["W151", "W152"]),
        # Of a setting that is wrong another check tells.
        ("off", "", 1, "local", []),
    ],
)
def test_it_is_said_when_nothing_guarantees_it(
    settings, monkeypatch, commit, names, replicas, setting, ids
):
    use(settings, setting)
    monkeypatch.setattr(database, "replication", lambda: (commit, names, replicas))
    monkeypatch.setattr(database, "connection", lambda: Mock(vendor="postgresql"))
    told = [message.id.removeprefix("devices.") for message in check_durability(["default"])]
    assert told == ids
    # Without --database nobody is asked.
    assert check_databases() == []


@pytest.mark.django_db
def test_the_suites_own_database_is_asked_in_earnest(settings):
    use(settings, "on")
    # As `migrate` does with the setting.
    db_triggers.install("default")
    assert {message.id for message in check_databases(["default"])} <= {"devices.W151"}


def put_right():
    """What the check says; a rollback does not move sequences back."""
    out = StringIO()
    call_command("sqlsequencereset", "devices", stdout=out, no_color=True)
    # The test is within a transaction already.
    execute(out.getvalue().replace("BEGIN;", "").replace("COMMIT;", ""))


@postgresql
@pytest.mark.postgres
@pytest.mark.django_db
def test_numbers_that_are_taken_are_told(alice, sign_in):
    """As after logical replication, which copies rows and no sequences."""
    sign_in(alice)
    assert "devices.E153" not in {each.id for each in check_databases(["default"])}
    execute("SELECT setval(pg_get_serial_sequence('devices_activity', 'id'), 1, false)")
    [told] = [each for each in check_databases(["default"]) if each.id == "devices.E153"]
    assert "devices_activity" in told.msg and "devices_devicesession" not in told.msg
    assert "sqlsequencereset devices |" in told.hint
    # Without --database nobody is asked.
    assert check_databases() == []
    put_right()
    assert database.late_sequences() == []


@postgresql
@pytest.mark.postgres
@pytest.mark.django_db
def test_a_role_that_may_not_read_the_numbers_is_told_nothing(alice, sign_in):
    sign_in(alice)
    execute("SELECT setval(pg_get_serial_sequence('devices_activity', 'id'), 1, false)")
    execute(
        "CREATE ROLE devices_writer; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO devices_writer"
    )
    execute("SET LOCAL ROLE devices_writer")
    assert database.late_sequences() == []
    execute("RESET ROLE")
    put_right()
