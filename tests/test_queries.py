"""What a request costs the database: constant, however many sessions there are, and no write without need."""

import re
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from devices.conf import conf
from devices.core.retention import cleanup
from devices.models import DeviceSession, RevokeReason
from tests.client import PASSWORD, Device

TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET CONSTRAINTS")


@pytest.fixture
def statements():
    """statements(act): the SQL that `act` sends, without what only begins and ends transactions."""

    def statements(act):
        with CaptureQueriesContext(connection) as sent:
            answer = act()
            assert answer.status_code < 400, answer.content
        sql = (query["sql"] for query in sent)
        return [each for each in sql if not each.startswith(TRANSACTION)]

    return statements


def kinds(sql):
    return Counter(statement.split()[0] for statement in sql)


READS = [
    ("/api/me", 1),
    ("/api/sessions", 1),
    ("/api/sessions/history", 1),
    ("/api/sessions/history?page_size=100", 1),
    # The session itself has been read to ask who is calling.
    ("/api/sessions/current", 0),
    ("/api/sessions/current/activity", 1),
]


@pytest.mark.parametrize("others", [0, 1000])
def test_R14_asking_who_is_calling_costs_one_query(
    alice, sign_in, bystanders, settings, statements, others
):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    phone = sign_in(alice)
    if others:
        bystanders(alice, others)
    for path, own in READS:
        sql = statements(lambda path=path: phone.get(path))
        assert len(sql) == 1 + own, sql
        assert kinds(sql) == {"SELECT": 1 + own}


@pytest.mark.parametrize("others", [1, 1000])
def test_AA2_signing_out_everywhere_costs_the_same_for_one_and_for_a_thousand(
    alice, sign_in, bystanders, settings, statements, others
):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    phone = sign_in(alice)
    bystanders(alice, others)
    sql = statements(lambda: phone.post("/api/sessions/revoke-all"))
    assert DeviceSession.objects.active().count() == 1
    updates = [statement for statement in sql if statement.startswith("UPDATE")]
    assert len(updates) == 1
    inserts = kinds(sql).pop("INSERT")
    # SQLite takes so many values in one statement and no more.
    assert inserts == 1 or connection.vendor == "sqlite"
    # One of them asks whether a second factor would have been needed for that.
    assert len(sql) - inserts == 5


# What follows commits for real, since some of it is done after the commit.


@pytest.mark.django_db(transaction=True)
def test_a_refresh_is_one_read_and_one_write(make_user, sign_in, bystanders, settings, statements):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    alice = make_user()
    phone = sign_in(alice)
    bystanders(alice, 50)
    assert kinds(statements(phone.refresh)) == {"SELECT": 1, "UPDATE": 1}
    # Asking for the same again writes nothing.
    assert kinds(statements(phone.refresh)) == {"SELECT": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [1, 2, 5, 20])
@pytest.mark.parametrize("path", ["/api/login", "/api/token"])
def test_a_login_costs_the_same_whomever_it_evicts(
    make_user, sign_in, settings, statements, monkeypatch, limit, path
):
    monkeypatch.setattr(cleanup, "LOGINS", 2**200)
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": limit}
    alice = make_user()
    for _ in range(5):
        sign_in(alice)
    body = {"email": alice.email, "password": PASSWORD}
    sql = statements(lambda: Device().post(path, body))
    # A browser without its cookie was not seen before: that is written down.
    news = [each for each in sql if re.search(r'(FROM|INTO|UPDATE) "devices_loginhistory"', each)]
    assert kinds(news) == {"UPDATE": 1}
    # Who is it? May they try? They did it. Is it still so? What is in the way ends. What begins, and its log.
    assert kinds(sql) == {"SELECT": 2, "UPDATE": 4, "INSERT": 2}
    assert len(sql) == 8
    assert DeviceSession.objects.active().count() == min(limit, 6)


@pytest.mark.django_db(transaction=True)
def test_a_login_that_cleans_up_costs_two_statements_more(
    make_user, sign_in, settings, statements, monkeypatch
):
    monkeypatch.setattr(cleanup, "LOGINS", 1)
    alice = make_user()
    body = {"email": alice.email, "password": PASSWORD}
    phone, other = sign_in(alice), sign_in(alice)
    past = timezone.now() - 2 * conf.RETENTION_DAYS
    DeviceSession.objects.update(expires_at=past)
    # It is the turn of those that were revoked, or of the others.
    revoked = {"revoked_at": past, "revoke_reason": RevokeReason.LOGOUT}
    DeviceSession.objects.filter(pk=other.session_id).update(**revoked)
    sql = statements(lambda: phone.post("/api/login", body))
    assert kinds(sql)["DELETE"] == 1
    assert len(sql) == 9
    # One that has news to write down leaves it to others.
    DeviceSession.objects.update(expires_at=timezone.now() - 2 * conf.RETENTION_DAYS)
    sql = statements(lambda: Device().post("/api/login", body))
    assert "DELETE" not in kinds(sql)
    assert len(sql) == 8


@pytest.mark.django_db(transaction=True)
def test_TD4_no_write_within_the_touch_interval_and_one_after_it(
    make_user, sign_in, statements, clock
):
    phone = sign_in(make_user())
    for wait, updates in ((0, 0), (59, 0), (1, 1), (0, 0), (59, 0), (1, 1), (61, 1)):
        clock.shift(wait)
        sql = statements(lambda: phone.get("/api/me"))
        assert kinds(sql)["UPDATE"] == updates
        assert kinds(sql)["SELECT"] == 2
        assert len(sql) == 2 + updates


@pytest.mark.django_db(transaction=True)
def test_R14_a_hundred_requests_in_a_minute_are_one_update(make_user, sign_in, statements, clock):
    phone = sign_in(make_user())
    clock.shift(60)
    updates = 0
    for _ in range(100):
        sql = statements(lambda: phone.get("/api/sessions/current"))
        updates += kinds(sql)["UPDATE"]
        clock.shift(0.599)
    assert updates == 1


def test_a_request_that_is_refused_writes_nothing(alice, sign_in):
    phone = sign_in(alice)
    phone.post("/api/logout")
    for token, reads in ((phone.access, 1), ("junk", 0), (phone.access + "x", 0)):
        with CaptureQueriesContext(connection) as sent:
            answer = Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status_code == 401
        assert kinds(query["sql"] for query in sent) == ({"SELECT": reads} if reads else {})


def test_saving_a_user_costs_one_query_more_where_no_session_ends(alice, sign_in):
    """Many projects save the whole user: a profile, when somebody was last seen."""
    phone = sign_in(alice)
    alice = User.objects.get(pk=alice.pk)
    with CaptureQueriesContext(connection) as sent:
        alice.save()
    assert kinds(query["sql"] for query in sent) == {"SELECT": 1, "UPDATE": 1}
    assert phone.is_in()


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_a_user_who_is_saved_with_what_ends_sessions_has_none(alice, sign_in, change):
    sign_in(alice)
    alice = User.objects.get(pk=alice.pk)
    vars(alice).update(change)
    alice.save()
    assert not DeviceSession.objects.filter(revoked_at=None).exists()
