"""Signing in again on one device replaces its session; on another one it never does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import Activity, DeviceSession
from tests.client import CHROME, FIREFOX, PASSWORD, Device

COOKIE = "__Host-device"


def active(user):
    return list(DeviceSession.objects.for_user(user).active().order_by("created_at"))


def in_app(app_id, **headers):
    phone = Device("Acme/2.3 (iPhone; iOS 17.4)")
    phone.defaults |= {"HTTP_X_DEVICE_ID": app_id, **headers}
    return phone


def test_signing_in_again_in_the_same_browser_replaces_its_session(alice, clock):
    laptop = Device().sign_in(alice.email)
    first, token = laptop.session_id, laptop.access
    clock.shift(3600)
    laptop.credentials()
    laptop.sign_in(alice.email)
    assert [str(session.pk) for session in active(alice)] == [laptop.session_id]
    ended = DeviceSession.objects.get(pk=first)
    assert ended.revoke_reason == "superseded"
    assert ended.device_key == active(alice)[0].device_key
    assert Activity.objects.get(session=first, kind="session.revoked").data == {
        "reason": "superseded"
    }
    assert Device().get("/api/me", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401


@pytest.mark.parametrize("path", ["/api/login", "/api/token", "/api/login/"])
def test_every_sign_in_method_knows_the_browser_again(alice, path):
    laptop = Device()
    for _ in range(3):
        assert laptop.post(path, {"email": alice.email, "password": PASSWORD}).status_code == 200
    assert len(active(alice)) == 1


def test_registering_and_then_signing_in_is_one_device(db):
    laptop = Device()
    new = {"email": "new@example.org", "password": PASSWORD}
    assert laptop.post("/api/register", new).status_code == 201
    laptop.sign_in("new@example.org")
    assert len(active(User.objects.get(email="new@example.org"))) == 1


def test_the_name_goes_on_with_the_device(alice):
    laptop = Device().sign_in(alice.email)
    laptop.patch(f"/api/sessions/{laptop.session_id}", {"name": "Kitchen laptop"})
    laptop.sign_in(alice.email)
    assert laptop.get("/api/sessions/current").json()["name"] == "Kitchen laptop"


def test_an_app_is_known_by_the_id_it_keeps(alice):
    for _ in range(3):
        in_app("4f7d8f1e-install").sign_in(alice.email)
    assert len(active(alice)) == 1
    in_app("another-install").sign_in(alice.email)
    assert len(active(alice)) == 2


def test_two_front_ends_in_one_browser_live_side_by_side(alice):
    browser = Device()
    for origin in ["https://app.example.org", "https://admin.example.org"] * 3:
        browser.defaults["HTTP_ORIGIN"] = origin
        browser.sign_in(alice.email)
    assert len(active(alice)) == 2


def test_clients_that_keep_no_cookie_never_end_each_other(alice):
    one, two = Device("curl/8.6.0").sign_in(alice.email), Device("curl/8.6.0").sign_in(alice.email)
    assert one.is_in() and two.is_in()


def test_a_device_that_is_merely_similar_never_ends_another(alice):
    like_this = Client(user_agent=CHROME, ip_address="203.0.113.7")
    older = sessions.start(alice, like_this)
    newer = sessions.start(alice, like_this)
    assert older.device_key == newer.device_key
    assert active(alice) == [older, newer]


def test_people_who_share_a_browser_do_not_end_each_other(alice, mallory):
    browser = Device()
    hers = browser.sign_in(alice.email).session_id
    browser.credentials()
    theirs = browser.sign_in(mallory.email).session_id
    assert [str(session.pk) for session in active(alice)] == [hers]
    assert [str(session.pk) for session in active(mallory)] == [theirs]
    assert active(alice)[0].device_key != active(mallory)[0].device_key


def test_A37_another_persons_device_id_opens_and_ends_nothing(alice, mallory):
    phone = in_app("id-of-alice").sign_in(alice.email)
    thief = in_app("id-of-alice").sign_in(mallory.email)
    assert phone.is_in()
    assert thief.get("/api/me").json()["email"] == mallory.email
    stranger = in_app("id-of-alice")
    assert stranger.get("/api/me").status_code == 401
    wrong = stranger.post("/api/login", {"email": alice.email, "password": "wrong"})
    assert wrong.status_code == 401
    assert phone.is_in()


@pytest.mark.parametrize(
    "forge", ["{id}:forged", "{id}", "{value}x", "", ":", "a" * 5000, '"\\351\\001"', "é\x01"]
)
def test_A37_a_forged_cookie_is_as_good_as_none(alice, forge):
    laptop = Device().sign_in(alice.email)
    value = laptop.cookies[COOKIE].value
    attacker = Device()
    # As it is sent. Python's jar, from 3.15 on, holds no control characters.
    forged = forge.format(id=value.partition(":")[0], value=value)
    attacker.defaults["HTTP_COOKIE"] = f"{COOKIE}={forged}"
    attacker.sign_in(alice.email)
    assert laptop.is_in() and attacker.is_in()
    assert attacker.cookies[COOKIE].value != value


def test_a_cookie_is_not_taken_for_an_apps_id_nor_the_other_way_round(alice):
    laptop = Device().sign_in(alice.email)
    browser_id = laptop.cookies[COOKIE].value.partition(":")[0]
    in_app(browser_id).sign_in(alice.email)
    assert laptop.is_in()


def test_a_superseded_session_makes_room_within_the_limit(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    other = Device(FIREFOX).sign_in(alice.email)
    laptop = Device().sign_in(alice.email)
    laptop.sign_in(alice.email)
    assert other.is_in() and laptop.is_in()


def test_without_a_limit_the_same_device_is_replaced_too(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}
    other = Device().sign_in(alice.email)
    laptop = Device().sign_in(alice.email)
    laptop.sign_in(alice.email)
    assert other.is_in()
    assert len(active(alice)) == 2


def test_the_password_of_before_is_the_reason_where_both_would_be(alice):
    laptop = Device().sign_in(alice.email)
    User.objects.filter(pk=alice.pk).update(password=alice.password + "changed behind its back")
    alice.refresh_from_db()
    sessions.start(alice, Client(app_id="x"))
    assert DeviceSession.objects.get(pk=laptop.session_id).revoke_reason == "password_changed"


@pytest.mark.parametrize("limit", [3, None])
def test_replacing_and_evicting_cost_no_look_of_their_own(alice, settings, limit):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": limit}
    client = Client(app_id="phone")
    with CaptureQueriesContext(
        connection,
    ) as first:
        sessions.start(alice, client)
    for number in range(4):
        sessions.start(alice, Client(app_id=f"other {number}"))
    with CaptureQueriesContext(connection) as again:
        sessions.start(alice, client)
    # One UPDATE more at most: for those replaced or for those evicted.
    assert len(again) <= len(first) + 1


def test_what_somebody_else_ends_meanwhile_keeps_the_first_reason(alice, settings, monkeypatch):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 1}
    one = sessions.start(alice, Client(app_id="one"))
    two = sessions.start(alice, Client(app_id="two"))
    DeviceSession.objects.filter(pk=one.pk).update(revoked_at=None, revoke_reason="")
    plain = sessions.login.revocation_values

    def after_somebody_elses(reason, by):
        monkeypatch.setattr(sessions.login, "revocation_values", plain)
        sessions.revoke(two, reason="user", by=alice)
        return plain(reason, by)

    monkeypatch.setattr(sessions.login, "revocation_values", after_somebody_elses)
    sessions.start(alice, Client(app_id="three"))
    reasons = DeviceSession.objects.revoked().values_list("pk", "revoke_reason")
    assert dict(reasons) == {one.pk: "limit", two.pk: "user"}
    logged = Activity.objects.filter(session=two, kind="session.revoked")
    assert [line.data["reason"] for line in logged] == ["user"]


@pytest.mark.django_db(transaction=True)
def test_sign_ins_at_once_from_one_device_leave_one_session():
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    alice = User.objects.create_user("alice@example.org", PASSWORD)
    # After it none has news to write down, for which the others would wait, too.
    in_app("one-phone").sign_in(alice.email)
    sign_ins = 12
    gate = threading.Barrier(sign_ins)

    def sign_in(_):
        try:
            gate.wait()
            return in_app("one-phone").sign_in(alice.email).session_id
        finally:
            connection.close()

    with ThreadPoolExecutor(sign_ins) as pool:
        begun = list(pool.map(sign_in, range(sign_ins)))
    assert len(set(begun)) == sign_ins
    assert len(active(alice)) == 1
    reasons = DeviceSession.objects.revoked().values_list("revoke_reason", flat=True)
    assert list(reasons) == ["superseded"] * sign_ins
    assert Activity.objects.filter(kind="session.revoked").count() == sign_ins
