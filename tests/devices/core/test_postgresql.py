"""Statements that go to PostgreSQL without a cursor do what they would with one."""

import asyncio
import functools
import logging
import threading
from contextlib import nullcontext

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.db.models import BigIntegerField, CharField, F, IntegerField
from django.db.transaction import TransactionManagementError
from django.db.utils import DataError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.adapt import AdaptersMap

from devices.core import database, postgresql
from devices.core.postgresql import Direct
from devices.core.sessions import validation
from devices.core.statements import Insert, Parameter, Select, Update
from devices.models import Activity, DeviceSession, LoginThrottle
from tests.client import Device

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: psycopg"),
    pytest.mark.django_db(transaction=True),
]
MANY = BigIntegerField()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Another connection, on which nothing is prepared yet."""
    monkeypatch.setattr(Direct, "may_prepare", True)
    connection.close()
    connection.ensure_connection()
    yield
    connection.close()


@pytest.fixture
def through_cursors(monkeypatch):
    """The verbs of what goes through a cursor, noted by somebody whom nobody notices."""
    seen, execute = [], CursorWrapper.execute

    def note(self, sql, params=None):
        seen.append(sql.split()[0])
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", note)
    return seen


@pytest.fixture
def session(alice, sign_in):
    return DeviceSession.objects.get(pk=sign_in(alice).session_id)


@pytest.fixture
def add():
    """Adds to the failures of a key, if they are fewer than so many."""
    LoginThrottle.objects.create(key="a", window_ends=timezone.now())
    rows = LoginThrottle.objects.filter(
        key=Parameter("key", CharField()), failures__lt=Parameter("limit", IntegerField())
    )
    return Update(rows, "default", failures=F("failures") + Parameter("more", MANY))


def prepared():
    """What is prepared on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE NOT from_sql")
        return {name.rpartition("_")[0] for (name,) in cursor.fetchall()}


def terminate():
    """The backend of this connection ends, as in a failover."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    other.close()


def discard():
    """As a pool may have it done with a connection that is given back."""
    with connection.cursor() as cursor:
        cursor.execute("DISCARD ALL")


def test_a_row_is_what_it_is_by_a_cursor(session, through_cursors):
    found = validation.find(session.pk, session.user_id)
    assert through_cursors == []
    expected = DeviceSession.objects.select_related("user").get(pk=session.pk)
    for here, there in ((found, expected), (found.user, expected.user)):
        for name, value in vars(here).items():
            if name not in ("_state", "user"):
                assert (name, value) == (name, getattr(there, name))
                assert type(value) is type(getattr(there, name))


def test_a_statement_is_prepared_when_it_runs_again(session):
    connection.close()
    connection.ensure_connection()
    for expected in (set(), {"devices_devicesession"}, {"devices_devicesession"}):
        assert validation.find(session.pk, session.user_id) == session
        assert prepared() == expected


def test_without_a_pooler_the_backend_is_its_connections_own():
    given = connection.connection
    assert postgresql._Link(given).is_exclusive(given)


def test_two_statements_about_a_table_are_told_apart(add):
    rows = LoginThrottle.objects.filter(key=Parameter("key", CharField()))
    select = Select(rows, "default")
    for failures in (1, 2, 3):
        assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
        assert [row.failures for row in select.run({"key": "a"})] == [failures]


def test_types_are_looked_up_once_per_connection(session, monkeypatch):
    looked_up = []
    get_loader = AdaptersMap.get_loader

    def note(self, *given):
        looked_up.append(given)
        return get_loader(self, *given)

    monkeypatch.setattr(AdaptersMap, "get_loader", note)
    connection.close()
    for _ in range(2):
        validation.find(session.pk, session.user_id)
    assert looked_up
    looked_up.clear()
    assert validation.find(session.pk, session.user_id) == session
    assert not looked_up


def test_an_answer_is_not_kept_with_the_connection(session):
    validation.find(session.pk, session.user_id)
    assert postgresql._links[connection.connection].converter.pgresult is None


def test_a_login_prepares_its_statements(alice):
    for _ in range(3):
        Device().sign_in(alice.email)
    tables = {"activity", "devicesession", "loginhistory", "loginthrottle", "user"}
    assert prepared() == {f"devices_{table}" for table in tables}


def test_it_begins_a_transaction(add, through_cursors):
    with transaction.atomic():
        for _ in range(2):
            add.run({"key": "a", "limit": 9, "more": 1})
        transaction.set_rollback(True)
    assert through_cursors == []
    assert LoginThrottle.objects.get().failures == 0
    with transaction.atomic():
        add.run({"key": "a", "limit": 9, "more": 1})
    assert LoginThrottle.objects.get().failures == 1


@pytest.fixture
def waits(monkeypatch):
    """A mark for each time that somebody waits for an answer of PostgreSQL."""
    given, waits = connection.connection, []

    def wait(*args, wait=given.wait, **kwargs):
        waits.append(1)
        return wait(*args, **kwargs)

    monkeypatch.setattr(given, "wait", wait)
    return waits


def test_what_belongs_together_is_sent_together(add, waits):
    with transaction.atomic():
        pass
    of_the_transaction = len(waits)
    # The second time it asks whether a pooler stands in between.
    for expected in (1, 2, 1, 1):
        waits.clear()
        with transaction.atomic():
            add.run({"key": "a", "limit": 9, "more": 1})
        assert len(waits) - of_the_transaction == expected


@pytest.mark.parametrize("within", [nullcontext, transaction.atomic])
def test_what_fails_as_it_is_prepared_stays_prepared(add, caplog, within):
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    with pytest.raises(IntegrityError), within():
        add.run({"key": "a", "limit": 9, "more": -2})
    assert prepared() == {"devices_loginthrottle"}
    with within():
        assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert Direct.may_prepare
    assert caplog.messages == []


def test_a_wait_that_is_cut_short_leaves_no_answers_behind(add, monkeypatch):
    """As by a time-out of a greenlet, or the end of a worker."""
    given = connection.connection

    def wait(*_, **__):
        raise SystemExit

    with pytest.raises(SystemExit), transaction.atomic():
        monkeypatch.setattr(given, "wait", wait)
        add.run({"key": "a", "limit": 9, "more": 1})
    assert given.closed
    connection.close_if_unusable_or_obsolete()
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1


def test_a_transaction_has_the_isolation_that_the_host_has_chosen(session):
    from psycopg import IsolationLevel

    connection.connection.isolation_level = IsolationLevel.SERIALIZABLE
    with transaction.atomic():
        validation.find(session.pk, session.user_id)
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("serializable",)


def test_behind_a_pooler_nothing_is_prepared_in_a_transaction(add, monkeypatch):
    monkeypatch.setattr(postgresql._Link, "is_exclusive", lambda self, given: False)
    with transaction.atomic():
        for _ in range(2):
            assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert prepared() == set()
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert prepared() == {"devices_loginthrottle"}
    assert LoginThrottle.objects.get().failures == 3


def test_behind_a_pooler_nor_where_a_host_commits_by_itself(add, monkeypatch):
    """With AUTOCOMMIT off a transaction is open without Django's atomic()."""
    monkeypatch.setattr(postgresql._Link, "is_exclusive", lambda self, given: False)
    connection.set_autocommit(False)
    for _ in range(2):
        assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    connection.commit()
    connection.set_autocommit(True)
    assert prepared() == set()
    assert LoginThrottle.objects.get().failures == 2


def test_the_switch_for_a_pooler_is_obeyed(add, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    for _ in range(2):
        assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert prepared() == set()


@pytest.mark.parametrize("within", [nullcontext, transaction.atomic])
@pytest.mark.parametrize("limit", [2**31, 2**62])
def test_a_number_may_be_larger_than_the_column_it_is_compared_with(add, within, limit):
    with within():
        for _ in range(3):
            assert add.run({"key": "a", "limit": limit, "more": 1}) == 1


@pytest.mark.parametrize("within", [nullcontext, transaction.atomic])
def test_a_number_beyond_all_columns_is_compared_as_by_a_cursor(add, through_cursors, within):
    with within():
        for limit in (2**70, 9, 9, 2**70, 2**70):
            assert add.run({"key": "a", "limit": limit, "more": 1}) == 1
    assert through_cursors == []


def test_an_error_is_the_one_that_a_cursor_raises(add):
    with pytest.raises(IntegrityError) as raised:
        add.run({"key": "a", "limit": 9, "more": -1})
    assert database.sqlstate(raised.value) == "23514"
    with pytest.raises(DataError):
        add.run({"key": "a", "limit": 9, "more": 2**40})
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1


def test_after_an_error_a_transaction_takes_no_more(add):
    with pytest.raises(TransactionManagementError), transaction.atomic():
        LoginThrottle.objects.count()
        with pytest.raises(IntegrityError):
            add.run({"key": "a", "limit": 9, "more": -1})
        add.run({"key": "a", "limit": 9, "more": 1})
    assert LoginThrottle.objects.get().failures == 0


def test_a_lost_connection_is_an_outage(session):
    assert validation.find(session.pk, session.user_id) == session
    terminate()
    with pytest.raises(OperationalError) as raised:
        validation.find(session.pk, session.user_id)
    assert database.is_outage(raised.value)
    connection.close_if_unusable_or_obsolete()
    assert validation.find(session.pk, session.user_id) == session


@pytest.fixture
def checked(monkeypatch):
    """A connection whose health is to be checked, as where a request begins; how often Django does."""
    here, checks = connection._connections["default"], []
    is_usable = here.is_usable
    monkeypatch.setattr(here, "health_check_enabled", True)
    monkeypatch.setattr(here, "is_usable", lambda: (checks.append(1), is_usable())[1])
    here.health_check_done = False
    return checks


@pytest.mark.parametrize("within", [nullcontext, transaction.atomic])
def test_with_health_checks_a_lost_connection_is_replaced(session, add, checked, within):
    terminate()
    with within():
        assert validation.find(session.pk, session.user_id) == session
    connection.health_check_done = False
    terminate()
    with within():
        assert add.run({"key": "a", "limit": 9, "more": 1}) == 1


def test_the_first_select_of_a_request_is_its_health_check(session, add, checked):
    assert validation.find(session.pk, session.user_id) == session
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert checked == []
    connection.health_check_done = False
    assert add.run({"key": "a", "limit": 9, "more": 1}) == 1
    assert checked == [1]
    assert LoginThrottle.objects.get(key="a").failures == 2


def test_an_error_of_the_first_select_is_not_hidden(session, checked, through_cursors):
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50")
    connection.health_check_done = False
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK devices_devicesession")
        with pytest.raises(OperationalError):
            validation.find(session.pk, session.user_id)
    other.close()
    assert through_cursors == ["SET", "BEGIN", "LOCK"]


def test_what_takes_too_long_is_an_outage(add):
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM devices_loginthrottle FOR UPDATE")
        with pytest.raises(OperationalError) as raised:
            add.run({"key": "a", "limit": 9, "more": 1})
    other.close()
    assert database.is_outage(raised.value)


def test_what_somebody_has_discarded_is_run_unprepared(session, caplog):
    for _ in range(2):
        validation.find(session.pk, session.user_id)
    discard()
    with caplog.at_level(logging.WARNING, "devices"):
        for _ in range(2):
            assert validation.find(session.pk, session.user_id) == session
    assert len(caplog.records) == 1
    assert prepared() == set()


def test_in_a_transaction_that_is_an_outage_and_happens_once(add):
    given = {"key": "a", "limit": 9, "more": 1}
    for _ in range(2):
        add.run(given)
    discard()
    with pytest.raises(OperationalError) as raised, transaction.atomic():
        LoginThrottle.objects.count()
        add.run(given)
    assert database.is_outage(raised.value)
    with transaction.atomic():
        LoginThrottle.objects.count()
        assert add.run(given) == 1
    assert LoginThrottle.objects.get().failures == 3


def test_a_login_on_a_connection_that_was_discarded_succeeds(alice):
    for _ in range(3):
        Device().sign_in(alice.email)
    discard()
    Device().sign_in(alice.email)


def test_a_column_may_get_another_type(session):
    for _ in range(2):
        validation.find(session.pk, session.user_id)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE devices_devicesession ALTER browser TYPE text")
    try:
        for _ in range(2):
            assert validation.find(session.pk, session.user_id) == session
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE devices_devicesession ALTER browser TYPE varchar(32)")


def by_wrapper(seen):
    def note(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    return connection.execute_wrapper(note)


class ByPatch:
    """As Sentry and django-cachalot do."""

    def __init__(self, seen):
        self.seen, self.execute = seen, CursorWrapper.execute

    def __enter__(self):
        @functools.wraps(self.execute)
        def note(cursor, sql, params=None):
            self.seen.append(sql)
            return self.execute(cursor, sql, params)

        CursorWrapper.execute = note

    def __exit__(self, *_):
        CursorWrapper.execute = self.execute


class ByCursor:
    """As the debug toolbar does."""

    def __init__(self, seen):
        self.seen = seen

    def __enter__(self):
        cursor = connection.cursor
        connection.cursor = lambda: (self.seen.append("UPDATE"), cursor())[1]

    def __exit__(self, *_):
        del connection.cursor


class ByEngine:
    """As django-tenants does, which sets the schema of the tenant there."""

    def __init__(self, seen):
        here = connection._connections["default"]
        self.here, self.kind = here, type(here)

        class Engine(self.kind):
            def _cursor(self, name=None):
                seen.append("UPDATE")
                return super()._cursor(name)

        self.own = Engine

    def __enter__(self):
        self.here.__class__ = self.own

    def __exit__(self, *_):
        self.here.__class__ = self.kind


class ByPatchedEngine:
    """As aws-xray-sdk does, in Django's own engine."""

    def __init__(self, seen):
        self.engine = type(connection._connections["default"])
        self.cursor = self.engine.cursor

        def cursor(here, *args):
            seen.append("UPDATE")
            return self.cursor(here, *args)

        self.own = cursor

    def __enter__(self):
        self.engine.cursor = self.own
        postgresql._has_own_cursors.cache_clear()

    def __exit__(self, *_):
        self.engine.cursor = self.cursor
        postgresql._has_own_cursors.cache_clear()


class ByFactory:
    """As django-prometheus does."""

    def __init__(self, seen):
        self.given = connection.connection
        self.kind = self.given.cursor_factory

        class Counted(self.kind):
            def execute(self, query, *args, **kwargs):
                seen.append(query)
                return super().execute(query, *args, **kwargs)

        self.own = Counted

    def __enter__(self):
        self.given.cursor_factory = self.own

    def __exit__(self, *_):
        self.given.cursor_factory = self.kind


@pytest.mark.parametrize(
    "watch", [by_wrapper, ByPatch, ByCursor, ByEngine, ByPatchedEngine, ByFactory]
)
def test_who_watches_the_cursors_sees_each_statement(add, watch):
    add.run({"key": "a", "limit": 9, "more": 1})
    seen = []
    with watch(seen):
        add.run({"key": "a", "limit": 9, "more": 1})
    assert len(seen) == 1 and seen[0].startswith("UPDATE")


def test_who_logs_queries_sees_each_statement(add):
    with CaptureQueriesContext(connection) as sent:
        add.run({"key": "a", "limit": 9, "more": 1})
    assert len(sent) == 1


def test_a_connection_is_of_one_thread(add):
    raised = []

    def elsewhere(mine):
        try:
            add._counting._direct.execute(mine, ["a", 9, 1])
        except DatabaseError as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere, args=[connection._connections["default"]])
    thread.start()
    thread.join()
    assert "can only be used in that same thread" in str(raised[0])


def test_an_event_loop_is_not_blocked(add):
    mine = connection._connections["default"]

    async def ask():
        add._counting._direct.execute(mine, ["a", 9, 1])

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(ask())


def test_the_hosts_own_types_are_read_as_by_a_cursor(session):
    from psycopg.types.string import TextLoader

    class Shouted(TextLoader):
        def load(self, data):
            return super().load(data).upper()

    def register(connection, **kwargs):
        connection.connection.adapters.register_loader("varchar", Shouted)

    connection_created.connect(register)
    try:
        connection.close()
        connection.ensure_connection()
    finally:
        connection_created.disconnect(register)
    found = validation.find(session.pk, session.user_id)
    assert found.browser == session.browser.upper()
    assert DeviceSession.objects.get(pk=session.pk).browser == session.browser.upper()


def test_a_moment_is_the_same_whatever_the_zone_of_the_database(session):
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Tokyo'")
    found = validation.find(session.pk, session.user_id)
    assert found.created_at == session.created_at


def test_values_are_written_as_by_a_cursor(session, alice):
    line = {"session_id": session.pk, "user_id": alice.pk, "kind": "a.b", "data": {"c": [None]}}
    line |= {"at": timezone.now(), "ip_address": "2001:db8::1"}
    Insert(Activity, "default").run(
        [Activity(**line), Activity(**line, asn=2**31 - 1, actor=alice)]
    )
    Activity.objects.bulk_create([Activity(**line), Activity(**line, asn=2**31 - 1, actor=alice)])
    written = [
        {**row, "id": None} for row in Activity.objects.filter(kind="a.b").order_by("pk").values()
    ]
    assert written[:2] == written[2:]


def test_a_statement_without_parameters_runs(session):
    assert Select(DeviceSession.objects.order_by("pk"), "default").run({}) == [session]
