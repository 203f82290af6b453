"""Sessions that Citus spreads over its workers: `make test-citus`, on the database that CITUS_URL names."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from devices.checks import check_databases
from devices.conf import Conf
from devices.core import citus, sessions
from devices.core.clients.client import Client
from devices.core.liveness import db_triggers
from devices.core.postgresql import Direct
from devices.core.retention import anonymization, cleanup
from devices.core.sessions import validation
from devices.core.sessions.revocation import lock
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE, Device
from tests.transactions import holding

from .citus import SPREAD, drill, explain, is_good, rebalance, statements, watching, withdraw

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        "CITUS_URL" not in os.environ, reason="NO CITUS: set CITUS_URL to a coordinator"
    ),
]

# Longer than all that is kept is kept.
LONG_AGO = timedelta(days=500)


@pytest.mark.django_db(transaction=True)
def test_each_statement_of_a_request_runs_on_one_shard():
    counted = {what: [each.shards for each in found] for what, found in statements()}
    assert all(counted.values())
    assert {each for found in counted.values() for each in found} == {1}, counted


@pytest.mark.django_db(transaction=True)
def test_so_does_noting_activity(alice, sign_in, clock):
    device = sign_in(alice)
    clock.shift(61)
    with watching() as sent:
        assert device.is_in()
    assert any(sql.startswith("UPDATE") for sql, _ in sent)
    assert {explain(*each).shards for each in sent} == {1}


@pytest.mark.django_db(transaction=True)
def test_so_do_the_page_of_a_session_and_what_is_seldom_read_of_it(alice, sign_in, client):
    device = sign_in(alice)
    client.force_login(alice)
    for path in ("/devices/", f"/devices/{device.session_id}/"):
        with watching() as sent:
            assert client.get(path).status_code == 200
        assert {explain(*each).shards for each in sent} == {1}, sent
    session = validation.find(device.session_id, alice.pk)
    assert session is not None
    with watching() as sent:
        assert session.device_key
    assert [explain(*each).shards for each in sent] == [1]


@pytest.mark.django_db(transaction=True)
def test_so_does_a_login_beyond_the_attempts_that_strangers_have(alice, sign_in, clock):
    home = sign_in(alice)
    stranger = Device(IPHONE, ip="198.51.100.66")
    while stranger.post("/api/login", {"email": alice.email, "password": "x"}).status_code == 401:
        pass
    home.credentials()
    for address in ("203.0.113.7", "192.0.2.99"):  # known by its address, and by its cookie
        home.defaults["REMOTE_ADDR"] = address
        with watching() as sent:
            home.sign_in(alice.email)
        assert {explain(*each).shards for each in sent} == {1}, sent


@pytest.fixture
def people(make_user) -> list[User]:
    """More of them than there are shards on a worker."""
    return [make_user(f"user{n}@example.org") for n in range(40)]


@pytest.fixture
def tasks(monkeypatch) -> Iterator[dict[str, list[int]]]:
    """In how many parts Citus ran each statement about sessions that goes without a cursor, by its name.

    Where somebody watches cursors, as `statements` does, all goes through them.
    """
    run = Direct.execute
    sent: list[str] = []
    found: defaultdict[str, list[int]] = defaultdict(list)

    def note(self: Direct, given: Any, values: Sequence[Any]) -> Any:
        sent.clear()
        answer = run(self, given, values)
        if SPREAD.search(self._sql):
            found[self._name].append(len(sent))
        return answer

    def hear(notice: Any) -> None:
        if SPREAD.search(notice.message_primary):
            sent.append(notice.message_primary)

    monkeypatch.setattr(Direct, "execute", note)
    monkeypatch.setattr(Direct, "may_prepare", True)
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SET citus.log_remote_commands TO on")
    connection.connection.add_notice_handler(hear)
    yield found
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_what_is_prepared_runs_on_one_shard_whoever_asks(people, tasks, monkeypatch):
    """After five plans for the values that are given, PostgreSQL makes one for all."""
    monkeypatch.setattr(Conf, "TOUCH_INTERVAL", timedelta(0))  # Each request notes activity, too.
    kept = connection.connection
    for _ in range(2):
        for user in people[:8]:
            device, other = Device(CHROME).sign_in(user.email), Device(IPHONE).sign_in(user.email)
            assert device.is_in()
            assert device.rotate().is_in()
            mine = {each["id"] for each in device.get("/api/sessions").json()}
            assert mine == {device.session_id, other.session_id}
            assert device.delete(f"/api/sessions/{other.session_id}").status_code == 204
            assert not other.is_in()
            assert device.post("/api/logout").status_code == 204
            assert not device.is_in()
    assert connection.connection is kept
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, generic_plans FROM pg_prepared_statements")
        plans = dict(cursor.fetchall())
    assert tasks.keys() <= plans.keys()
    assert any(plans[name] for name in tasks)
    assert {each for parts in tasks.values() for each in parts} == {1}, tasks


def start(user: User) -> DeviceSession:
    return sessions.start(user, Client("192.0.2.1", CHROME))


def test_the_clean_up_of_many_people_deletes_what_is_due_and_nothing_else(people):
    old, new = [start(user) for user in people], [start(user) for user in people]
    ids = [session.pk for session in old]
    began = timezone.now() - LONG_AGO
    DeviceSession.objects.filter(pk__in=ids).update(
        revoked_at=began, revoke_reason=RevokeReason.LOGOUT, created_at=began, last_active=began
    )
    Activity.objects.filter(session_id__in=ids).update(at=began)
    assert cleanup.count() == len(old)
    assert sum(cleanup.purge(batch_size=7)) == len(old)
    lines = cleanup.count_activities()
    assert sum(cleanup.purge_activities(batch_size=7)) == lines > 0
    assert set(DeviceSession.objects.values_list("pk", flat=True)) == {each.pk for each in new}


def test_the_clean_up_asks_one_shard_of_a_worker_after_the_other(people):
    """Sixteen at once, as Citus does by itself, take all CPU time of a worker from requests."""
    for user in people:
        start(user)
    seen: dict[str, str] = {}

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if SPREAD.search(sql) and "user_id" not in sql.partition(" WHERE ")[2]:
            with connection.cursor() as cursor:
                cursor.execute("SHOW citus.max_adaptive_executor_pool_size")
                seen[sql] = cursor.fetchone()[0]
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        list(cleanup.purge())
        list(cleanup.purge_activities())
        list(anonymization.age())
    assert len(seen) > 5
    assert set(seen.values()) == {"1"}, seen


def test_what_has_aged_is_shortened_on_each_shard(people):
    for user in people:
        start(user)
    began = timezone.now() - LONG_AGO
    DeviceSession.objects.update(created_at=began, last_active=began, pii_since=began)
    Activity.objects.update(at=began)
    assert sum(anonymization.age(batch_size=7)) == anonymization.count() + 2 * len(people)
    assert set(DeviceSession.objects.values_list("ip_address", flat=True)) == {"192.0.2.0"}
    assert not Activity.objects.filter(is_precise=True).exists()


def test_staff_see_and_end_the_sessions_of_many_and_not_of_those_above_them(people, make_user):
    staff = make_user("staff@example.org", is_staff=True)
    names = ("view_devicesession", "revoke_devicesession")
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    root = make_user("root@example.org", is_superuser=True)
    for user in (*people, root):
        start(user)
    device = Device(FIREFOX).sign_in(staff.email)
    listed = device.get("/api/admin/sessions?ip=192.0.2.0/24")
    assert listed.status_code == 200, listed.json()
    answer = device.post(
        "/api/admin/sessions/revoke", {"ip": "192.0.2.0/24", "reason": "a test", "dry_run": False}
    )
    assert answer.status_code == 200, answer.json()
    assert DeviceSession.objects.filter(ip_address="192.0.2.1").active().get().user == root


def test_an_account_that_sql_deactivates_is_out_at_once_and_its_sessions_stay_ended(make_user):
    alice, bob = make_user("alice@example.org"), make_user("bob@example.org")
    of_alice, of_bob = Device(CHROME).sign_in(alice.email), Device(IPHONE).sign_in(bob.email)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert db_triggers.make_up() == 1
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert (of_alice.is_in(), of_bob.is_in()) == (False, True)


def test_a_migrate_and_a_second_distribution_change_nothing(capsys):
    call_command("migrate", verbosity=0)
    call_command("distribute_sessions", "--yes")
    assert "as it has to be" in capsys.readouterr().out


def test_what_refers_to_a_copied_table_counts_on_from_the_rows_it_has():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE teams (id integer PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE members (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
            " team integer REFERENCES teams)"
        )
        add = "INSERT INTO members (team) VALUES (NULL) RETURNING id"
        for _ in range(3):
            cursor.execute(add)
        cursor.execute("DELETE FROM members WHERE id = 3")
        citus.distribute([citus.Table("teams", "reference")])
        cursor.execute(add)
        assert cursor.fetchone() == (4,)


@pytest.mark.parametrize(("is_set", "expected"), [(True, set()), (False, {"devices.E161"})])
def test_the_check_says_whether_the_setting_agrees_and_what_is_lost(monkeypatch, is_set, expected):
    monkeypatch.setattr(Conf, "CITUS", is_set)
    found = {each.id for each in check_databases(["default"])}
    assert {each for each in found if each.startswith("devices.E16")} == expected
    assert "devices.I165" in found


@pytest.mark.skipif("WORKER" not in os.environ, reason="NO WORKER: set WORKER to the one to add")
@pytest.mark.django_db(transaction=True)
def test_what_is_revoked_while_shards_move_stays_revoked(tmp_path):
    worker = os.environ["WORKER"]
    withdraw(worker)
    log, _ = drill(tmp_path, lambda: rebalance(worker), pause=0.2)
    assert is_good(log), (log.counts, log.alive)
    withdraw(worker)
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_name FROM pg_dist_cleanup")
        assert cursor.fetchall() == [], "These shards cannot move to the worker again."


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_a_row_that_somebody_holds_is_left_to_them(self, people):
        rows = [start(user) for user in people[:3]]
        began = timezone.now() - LONG_AGO
        DeviceSession.objects.update(
            revoked_at=began, revoke_reason=RevokeReason.LOGOUT, created_at=began, last_active=began
        )
        held = DeviceSession.objects.filter(pk=rows[0].pk, user_id=rows[0].user_id)
        with holding(lambda: list(held.select_for_update())):
            assert sum(cleanup.purge()) == 2
        assert sum(cleanup.purge()) == 1

    def test_the_clean_up_goes_past_a_whole_batch_that_somebody_holds(self, people):
        rows = [start(user) for user in people[:3]]
        for n, row in enumerate(rows):
            ended = timezone.now() - LONG_AGO + timedelta(days=n)
            mine = DeviceSession.objects.filter(pk=row.pk)
            mine.update(revoked_at=ended, revoke_reason=RevokeReason.LOGOUT)
        first = [row.pk for row in rows[:2]]
        held = [DeviceSession.objects.filter(pk=row.pk, user_id=row.user_id) for row in rows[:2]]
        with holding(lambda: [list(each.select_for_update()) for each in held]):
            assert sum(cleanup.purge(batch_size=2)) == 1
        assert set(DeviceSession.objects.values_list("pk", flat=True)) == set(first)

    def test_a_login_waits_for_another_and_for_a_change_of_the_account(self, make_user):
        alice = make_user()
        for hold in (lambda: lock(alice), lambda: citus.serialize_logins(alice.pk)):
            begun: list[DeviceSession] = []

            def log_in() -> None:
                begun.append(start(alice))  # noqa: B023
                connection.close()

            thread = threading.Thread(target=log_in)
            with holding(hold):
                thread.start()
                thread.join(1)
                assert not begun
            thread.join(20)
            assert begun

    def test_logins_of_two_people_do_not_wait_for_each_other(self, people):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        try:
            with holding(lambda: start(people[0])):
                assert start(people[1])
        finally:
            connection.close()
