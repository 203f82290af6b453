"""The mode `cached`: what is remembered, for how long, and that no fault lets an ended session in."""

import os
import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

import psycopg
import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from devices.core import database, redis_servers, sessions
from devices.core.liveness import cache as cache_module
from devices.core.liveness import invalidation
from devices.core.liveness.cache import session_cache
from devices.core.sessions import validation
from devices.models import DeviceSession, RevokeReason
from tests.bus import Proxy, redis_server, wait_for
from tests.client import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

on_postgresql = connection.vendor == "postgresql"
needs_postgresql = pytest.mark.skipif(
    not on_postgresql, reason="needs PostgreSQL: it speaks for itself"
)
BUSES = [
    pytest.param("postgres", marks=[needs_postgresql, pytest.mark.postgres]),
    pytest.param("redis"),
]


@pytest.fixture(params=BUSES)
def line(request, settings, monkeypatch):
    """The way from this process's listener to the bus; the mode is `cached`, and the bus is heard."""
    with request.getfixturevalue(f"{request.param}_line") as proxy:
        invalidation.listen()
        wait_for(lambda: session_cache.is_trusted)
        yield proxy
        proxy.close()
        invalidation.stop()


@pytest.fixture
def postgres_line(settings, monkeypatch):
    @contextmanager
    def opened():
        given = connection.get_connection_params()
        proxy = Proxy(given.get("host", "127.0.0.1"), int(given.get("port", 5432)))
        connect = psycopg.connect

        def through_proxy(*args, **kwargs):
            if threading.current_thread().name == "devices-bus":
                kwargs |= {"host": "127.0.0.1", "port": proxy.port}
            return connect(*args, **kwargs)

        monkeypatch.setattr(psycopg, "connect", through_proxy)
        settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": "postgres"}
        yield proxy

    return opened()


@pytest.fixture
def redis_line(settings, monkeypatch):
    @contextmanager
    def opened():
        with redis_server() as server:
            proxy = Proxy("127.0.0.1", server.port)
            proxy.server = server
            # What others publish comes another way.
            proxy.others = Proxy("127.0.0.1", server.port)
            url = f"redis://127.0.0.1:{proxy.others.port}/0"
            listening = f"redis://127.0.0.1:{proxy.port}/0"
            redis_of = redis_servers.client

            def through_proxy(asked):
                listens = threading.current_thread().name == "devices-bus"
                return redis_of(listening if listens else url)

            monkeypatch.setattr(redis_servers, "client", through_proxy)
            settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": url}
            yield proxy
            for each in (url, listening):
                redis_of(each).close()
            proxy.others.close()
            redis_of.cache_clear()

    return opened()


@contextmanager
def elsewhere():
    """As in another process: what is done here is known here by message only."""
    with mock.patch.object(invalidation, "_forget"):
        yield


def revoke_elsewhere(device):
    with elsewhere():
        session = DeviceSession.objects.get(pk=device.session_id)
        assert sessions.revoke(session, reason=RevokeReason.ADMIN)


def is_remembered(device):
    before = session_cache.hits
    assert device.get("/api/sessions/current").status_code == 200
    return session_cache.hits == before + 1


def sign_in_remembered(sign_in, user):
    device = sign_in(user)
    is_remembered(device)
    assert is_remembered(device)
    return device


def seconds_until_refused(device, patience):
    begin = time.perf_counter()
    while device.get("/api/sessions/current").status_code == 200:
        assert time.perf_counter() - begin < patience, "an ended session is still let in"
        time.sleep(0.01)
    return time.perf_counter() - begin


def test_who_was_just_here_is_let_in_without_a_query(
    line, alice, sign_in, django_assert_num_queries
):
    phone = sign_in_remembered(sign_in, alice)
    with django_assert_num_queries(0):
        answer = phone.get("/api/sessions/current")
    assert answer.json()["id"] == phone.session_id
    assert phone.get("/api/me").json()["email"] == alice.email


def test_without_a_bus_nothing_is_remembered(settings, alice, sign_in, django_assert_num_queries):
    settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": None}
    phone = sign_in(alice)
    assert not is_remembered(phone) and not is_remembered(phone)
    assert not invalidation.error()


def test_an_end_elsewhere_is_heard_at_once(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    revoke_elsewhere(phone)
    assert seconds_until_refused(phone, 1.0) < 0.5
    assert phone.get("/api/me").json()["code"] == "session_revoked"


def test_an_end_here_is_known_here_before_it_is_answered(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    with mock.patch.object(session_cache, "invalidate", wraps=session_cache.invalidate) as told:
        assert phone.post("/api/logout").status_code == 204
        assert told.called
    assert phone.get("/api/me").status_code == 401


def test_a_manager_of_users_is_asked_about_who_is_remembered(line, alice, sign_in, monkeypatch):
    phone = sign_in_remembered(sign_in, alice)
    # As one by the tenant of the request.
    tenants = mock.Mock()
    tenants.db_manager.return_value.filter.return_value.first.return_value = None
    with monkeypatch.context() as patch:
        patch.setattr(validation, "rules", lambda model: [tenants])
        answer = phone.get("/api/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert is_remembered(phone)


def test_the_rule_of_the_project_is_asked_about_who_is_remembered(
    line, alice, sign_in, monkeypatch
):
    phone = sign_in_remembered(sign_in, alice)
    with monkeypatch.context() as patch:
        patch.setattr(validation, "is_admitted", lambda session: False)
        answer = phone.get("/api/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "no_active_account")
    assert is_remembered(phone)


def _set_password(user):
    user.set_password("another horse, another battery")
    user.save()


def _deactivate(user):
    user.is_active = False
    user.save()


def _delete(user):
    user.delete()


def _sql(statement):
    def run(user):
        with connection.cursor() as cursor:
            cursor.execute(statement, {"pk": user.pk})

    return run


ENDS = {
    "password": _set_password,
    "deactivation": _deactivate,
    "password by SQL": _sql("UPDATE accounts_user SET password = '!' WHERE id = %(pk)s"),
    "deactivation by SQL": _sql("UPDATE accounts_user SET is_active = false WHERE id = %(pk)s"),
    "rows deleted by SQL": _sql("DELETE FROM devices_devicesession WHERE user_id = %(pk)s"),
    "deletion": _delete,
}


@needs_postgresql
@pytest.mark.postgres
@pytest.mark.parametrize("line", ["postgres"], indirect=True)
@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_an_account_is_heard_by_whatever_route(line, alice, sign_in, end):
    phone = sign_in_remembered(sign_in, alice)
    with elsewhere():
        ENDS[end](alice)
    assert seconds_until_refused(phone, 1.0) < 0.5


@pytest.mark.parametrize("line", ["redis"], indirect=True)
@pytest.mark.parametrize("end", ["password", "deactivation"])
def test_redis_is_told_of_the_end_of_an_account(line, alice, sign_in, end):
    phone = sign_in_remembered(sign_in, alice)
    with elsewhere():
        ENDS[end](alice)
    assert seconds_until_refused(phone, 1.0) < 0.5


def test_an_end_that_is_rolled_back_is_none(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        revoke_elsewhere(phone)
        raise ZeroDivisionError
    assert is_remembered(phone)


def test_another_name_is_seen_everywhere(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    with elsewhere():
        sessions.rename(DeviceSession.objects.get(), "My phone")
    wait_for(lambda: phone.get("/api/sessions/current").json()["name"] == "My phone", 1)


def test_what_changes_of_a_user_is_seen_everywhere(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    alice.is_staff = True
    with elsewhere():
        alice.save()
    wait_for(lambda: sessions.authenticate(phone.access.encode(), mock.Mock()).user.is_staff, 1)


def test_a_confirmation_is_believed_everywhere(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    before = sessions.authenticate(phone.access.encode(), mock.Mock()).authenticated_at
    with elsewhere():
        answer = phone.post("/api/sessions/current/confirm", {"password": PASSWORD})
    assert answer.status_code == 200

    def is_newer():
        return sessions.authenticate(phone.access.encode(), mock.Mock()).authenticated_at > before

    wait_for(is_newer, 1)


# A session read before its end is heard of, and stored after that


def test_what_was_read_before_the_message_and_stored_after_it_does_not_live(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    session_cache.invalidate_all()
    wait_for(lambda: session_cache.is_trusted)
    find = validation.find

    def find_slowly(*args):
        session = find(*args)
        epoch = session_cache.read_mark().epoch
        revoke_elsewhere(phone)
        wait_for(lambda: session_cache.read_mark().epoch > epoch)
        return session

    with mock.patch.object(validation, "find", find_slowly):
        assert phone.get("/api/sessions/current").status_code == 200  # read before the end
    assert len(session_cache) == 1
    assert phone.get("/api/sessions/current").status_code == 401


def test_nothing_is_remembered_of_what_a_transaction_sees(line, alice, sign_in):
    phone = sign_in(alice)
    with transaction.atomic():
        User.objects.exists()
        assert not is_remembered(phone)
    assert not is_remembered(phone)
    assert is_remembered(phone)


@needs_postgresql
def test_where_each_request_is_a_transaction_its_session_is_remembered(
    line, alice, sign_in, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    phone = sign_in(alice)
    hits = session_cache.hits
    assert phone.get("/api/me").status_code == 200
    assert session_cache.hits == hits
    assert phone.get("/api/me").status_code == 200
    assert session_cache.hits == hits + 1


@needs_postgresql
@pytest.mark.urls("tests.test_atomic_requests")
def test_what_is_rolled_back_with_a_request_is_not_remembered(line, alice, sign_in, monkeypatch):
    """That its refresh token has arrived: else a copy of the one before could still be a lost answer."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    phone = sign_in(alice)
    phone.rotate()
    assert phone.get("/host/refuses").status_code == 400
    assert DeviceSession.objects.get().generation_used < 1
    assert phone.get("/api/me").status_code == 200
    assert DeviceSession.objects.get().generation_used == 1


# Faults


@pytest.mark.parametrize("fault", [Proxy.pause, Proxy.kill], ids=["partitioned", "killed"])
def test_without_the_bus_an_ended_session_is_soon_out(line, alice, sign_in, fault):
    phone = sign_in_remembered(sign_in, alice)
    fault(line)
    revoke_elsewhere(phone)
    assert seconds_until_refused(phone, 5.0) < invalidation.LEASE + 0.5
    # From now on the database answers, which is always exact.
    tablet = sign_in(alice)
    assert not is_remembered(tablet) and not is_remembered(tablet)


@pytest.mark.parametrize("fault", [Proxy.pause, Proxy.kill], ids=["partitioned", "killed"])
def test_what_was_missed_without_the_bus_is_not_let_in_when_it_is_back(line, alice, sign_in, fault):
    phone = sign_in_remembered(sign_in, alice)
    fault(line)
    revoke_elsewhere(phone)
    line.resume()
    line.revive()
    assert seconds_until_refused(phone, 5.0) < invalidation.LEASE + 0.5
    wait_for(lambda: session_cache.is_trusted)
    assert phone.get("/api/sessions/current").status_code == 401
    sign_in_remembered(sign_in, alice)


@pytest.mark.parametrize("line", ["redis"], indirect=True)
def test_while_redis_stands_still_an_end_is_no_less_an_end(line, alice, sign_in, caplog):
    phone = sign_in_remembered(sign_in, alice)
    line.server.freeze()
    try:
        begin = time.perf_counter()
        revoke_elsewhere(phone)
        # It is committed; only the word of it gets nowhere.
        assert time.perf_counter() - begin < 2 * invalidation.LEASE + 0.5
        assert "Could not publish" in caplog.text
        assert seconds_until_refused(phone, 5.0) < invalidation.LEASE + 0.5
    finally:
        line.server.thaw()
    tablet = sign_in(alice)
    wait_for(lambda: is_remembered(tablet))
    assert phone.get("/api/sessions/current").status_code == 401


@pytest.mark.parametrize("line", ["redis"], indirect=True)
def test_what_was_said_to_a_dead_redis_is_not_let_in_when_another_takes_its_place(
    line, alice, sign_in
):
    phone, tablet = (sign_in_remembered(sign_in, alice) for _ in range(2))
    line.server.kill()
    revoke_elsewhere(phone)
    line.server.start()
    assert seconds_until_refused(phone, 5.0) < invalidation.LEASE + 0.5
    wait_for(lambda: is_remembered(tablet))
    assert phone.get("/api/sessions/current").status_code == 401


@pytest.mark.parametrize("line", ["redis"], indirect=True)
def test_an_end_is_not_lost_with_a_connection_that_a_firewall_has_forgotten(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    revoke_elsewhere(phone)
    assert seconds_until_refused(phone, 5.0) < 0.5
    tablet = sign_in_remembered(sign_in, alice)
    # That of a worker, which has ended no session for an hour.
    line.others.forget()
    revoke_elsewhere(tablet)
    assert seconds_until_refused(tablet, 5.0) < 0.5


@needs_postgresql
@pytest.mark.postgres
@pytest.mark.parametrize("line", ["postgres"], indirect=True)
def test_a_database_that_restarts_takes_nobody_along(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    revoke_elsewhere(phone)
    assert seconds_until_refused(phone, 5.0) < invalidation.LEASE + 0.5
    wait_for(lambda: session_cache.is_trusted)
    sign_in_remembered(sign_in, alice)


@needs_postgresql
@pytest.mark.postgres
def test_an_address_that_moves_takes_the_listener_along(settings, monkeypatch):
    """The old server stays up. Requests go to the new one, once their connections are made anew."""
    connect, new = psycopg.connect, {}
    made = []

    def by_address(*args, **kwargs):
        if threading.current_thread().name == "devices-bus":
            made.append(new.get("dbname"))
            kwargs |= new
        return connect(*args, **kwargs)

    monkeypatch.setattr(psycopg, "connect", by_address)
    monkeypatch.setattr(invalidation, "SENDER_AGE", 0.2)
    settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": "postgres"}
    invalidation.listen()
    try:
        wait_for(lambda: session_cache.is_trusted)
        # Another database hears as little of what is said here as another server.
        new["dbname"] = "postgres"
        wait_for(lambda: not session_cache.is_trusted)
        # A sender that is not heard; then a listener and a sender there.
        wait_for(lambda: session_cache.is_trusted and made.count("postgres") >= 3)
    finally:
        invalidation.stop()


@needs_postgresql
@pytest.mark.postgres
def test_a_limit_for_idle_connections_does_not_cut_the_line(monkeypatch):
    given = connection.get_connection_params()
    limited = f"{given.get('options', '')} -c idle_session_timeout=500"
    monkeypatch.setattr(
        database.connection(), "get_connection_params", lambda: given | {"options": limited}
    )
    with closing(invalidation.PostgresLine("postgres")) as line:
        for _ in range(4):
            assert not [*line.beat(), *line.wait(invalidation.BEAT)]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_inherits_no_memory_and_listens_for_itself(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    child = os.fork()
    if not child:
        code = 1
        try:
            assert not session_cache.is_trusted and session_cache.get(phone.access.encode()) is None
            invalidation.listen()
            wait_for(lambda: session_cache.is_trusted)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_remembered(phone)


# Places


def test_what_is_remembered_of_one_place_opens_no_other(line, alice, sign_in, monkeypatch):
    phone = sign_in_remembered(sign_in, alice)
    # Another database or schema is asked from now on, as of another tenant.
    monkeypatch.setattr(database, "place", lambda: ("default", "another tenant"))
    assert not is_remembered(phone)
    monkeypatch.undo()
    assert is_remembered(phone)


@pytest.mark.parametrize("line", BUSES[:1], indirect=True)
def test_a_place_whose_ends_are_not_heard_is_not_remembered(line, alice, sign_in, monkeypatch):
    phone = sign_in(alice)
    monkeypatch.setattr(invalidation._listener, "alias", "another tenant")
    assert not is_remembered(phone) and not is_remembered(phone)


def test_a_machine_that_wakes_up_asks_first(line, alice, sign_in, monkeypatch):
    phone = sign_in_remembered(sign_in, alice)
    # It has slept for longer than a heartbeat is believed, in which the monotonic clock stood still.
    now = time.time() + invalidation.LEASE + 0.1
    woken = SimpleNamespace(monotonic=time.monotonic, time=lambda: now)
    with monkeypatch.context() as context:
        context.setattr(cache_module, "time", woken)
        assert not session_cache.is_trusted and not is_remembered(phone)
    wait_for(lambda: is_remembered(phone))


# Bounds


def test_an_entry_is_believed_for_half_a_minute_at_most(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    # Behind everybody's back, as a program without the triggers would do it.
    with elsewhere(), mock.patch.object(invalidation, "publish"):
        sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.ADMIN)
    assert is_remembered(phone)
    [entry] = session_cache._entries.values()
    assert entry.fresh_until - time.monotonic() <= 30
    session_cache._entries = {
        token: entry._replace(fresh_until=time.monotonic())
        for token, entry in session_cache._entries.items()
    }
    assert phone.get("/api/sessions/current").status_code == 401


def test_a_token_is_not_remembered_beyond_its_end(line, alice, sign_in, settings):
    lifetime = {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=2)}
    settings.SIMPLE_JWT = project.SIMPLE_JWT | lifetime
    phone = sign_in_remembered(sign_in, alice)
    time.sleep(2.1)
    # Asked anew, and so with all the checks; they know of a leeway.
    assert not is_remembered(phone) and not is_remembered(phone)


def test_a_session_is_not_remembered_beyond_its_end(line, alice, sign_in):
    phone = sign_in(alice)
    soon = DeviceSession.objects.get().created_at + timedelta(seconds=2)
    DeviceSession.objects.update(expires_at=soon)
    is_remembered(phone)
    assert is_remembered(phone)
    assert seconds_until_refused(phone, 4.0) < 2.5
    assert phone.get("/api/me").json()["code"] == "session_expired"


def test_the_memory_is_bounded(line, alice, sign_in, monkeypatch):
    monkeypatch.setattr(cache_module, "MAX_ENTRIES", 3)
    devices = [sign_in_remembered(sign_in, alice) for _ in range(5)]
    assert len(session_cache) == 3
    assert is_remembered(devices[-1])
    # Nor do messages fill it.
    for number in range(10):
        session_cache.invalidate(f"nobody {number}")
    assert len(session_cache._forgotten) <= 3
    assert not is_remembered(devices[-1])


def test_activity_is_still_noted(line, alice, sign_in, settings):
    settings.DEVICES = settings.DEVICES | {"TOUCH_INTERVAL": 1}
    phone = sign_in_remembered(sign_in, alice)
    before = DeviceSession.objects.get().last_active
    time.sleep(1.1)
    assert not is_remembered(phone)
    assert DeviceSession.objects.get().last_active > before
    assert is_remembered(phone)


def test_the_first_use_of_a_successor_is_still_noted(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice).rotate()
    assert DeviceSession.objects.get().generation_used == 0
    is_remembered(phone)
    assert DeviceSession.objects.get().generation_used == 1
    assert is_remembered(phone)


def test_one_request_sees_nothing_of_what_another_did_to_its_user(line, alice, sign_in):
    phone = sign_in_remembered(sign_in, alice)
    one = sessions.authenticate(phone.access.encode(), mock.Mock())
    other = sessions.authenticate(phone.access.encode(), mock.Mock())
    one.name = one.user.email = "changed"
    assert (other.name, other.user.email) == ("", alice.email)


# What it tells of itself


def test_it_tells_of_itself_without_secrets(line, alice, sign_in, client, capsys):
    phone = sign_in_remembered(sign_in, alice)
    told = client.get("/healthz").json()["liveness"]
    assert told == {
        "mode": "cached",
        "bus": "alive",
        "size": 1,
        "hits": session_cache.hits,
        "misses": session_cache.misses,
    }
    assert phone.access not in str(told) and PASSWORD not in str(told)
    call_command("liveness_status")
    assert "bus: alive" in capsys.readouterr().out


def test_a_bus_that_does_not_answer_fails_the_command(settings, capsys):
    settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": "redis://127.0.0.1:1/0"}
    with (
        mock.patch("devices.management.commands.liveness_status.PATIENCE", 3),
        pytest.raises(CommandError, match="every request asks the database"),
    ):
        call_command("liveness_status")
    assert "bus: ConnectionError" in capsys.readouterr().out
    assert User.objects.count() == 0
