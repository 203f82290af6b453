"""Lifetimes and limits by function: shorter for some, refused or evicted at the limit, defaults as ever."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient

from devices import shortcuts
from devices.conf import conf
from devices.exceptions import TooManySessions
from devices.hooks import Client, SessionPolicy
from devices.models import DeviceSession
from tests.client import CHROME, IPHONE, PASSWORD, refusal

pytestmark = pytest.mark.django_db

chosen = {}


def ask(user, session):
    return chosen["policy"](user, session)


@pytest.fixture
def policy(settings):
    """policy(function, or what it returns): DEVICES["SESSION_POLICY"]."""

    def use(given):
        chosen["policy"] = given if callable(given) else lambda user, session: given
        settings.DEVICES = {**settings.DEVICES, "SESSION_POLICY": f"{__name__}.ask"}

    return use


def start(user, agent=CHROME):
    return shortcuts.start_session(Client("192.0.2.1", agent), user)


def active():
    return set(DeviceSession.objects.active().values_list("pk", flat=True))


def test_staff_have_shorter_sessions(policy, make_user, clock):
    short = SessionPolicy(idle=timedelta(minutes=30), absolute=timedelta(hours=1))
    policy(lambda user, session: short if user.is_staff else SessionPolicy())
    staff, other = start(make_user(is_staff=True)), start(make_user("bob@example.org"))
    began = staff.session.created_at
    assert staff.session.expires_at == began + timedelta(minutes=30)
    assert staff.session.absolute_expires_at == began + timedelta(hours=1)
    assert other.session.expires_at == began + conf.IDLE_LIMIT
    clock.shift(25 * 60)
    again = shortcuts.refresh_session(None, staff.refresh)
    assert again.session.expires_at == began + timedelta(minutes=55)
    clock.shift(25 * 60)
    last = shortcuts.refresh_session(None, again.refresh)
    assert last.session.expires_at == began + timedelta(hours=1)


def test_a_policy_never_lengthens(policy, alice):
    policy(SessionPolicy(idle=timedelta(days=999), absolute=timedelta(days=9999)))
    session = start(alice).session
    assert session.expires_at == session.created_at + conf.IDLE_LIMIT
    assert session.absolute_expires_at == session.created_at + conf.SESSION_MAX_AGE


def test_a_cookie_session_goes_by_it_too(policy, alice, client, clock):
    policy(SessionPolicy(idle=timedelta(minutes=30)))
    client.force_login(alice)
    session = DeviceSession.objects.get()
    clock.shift(20 * 60)
    assert client.get("/devices/", secure=True).status_code == 200
    session.refresh_from_db()
    assert session.expires_at == session.last_active + timedelta(minutes=30)
    clock.shift(31 * 60)
    assert client.get("/devices/", secure=True).status_code == 302


def test_a_login_beyond_the_limit_is_refused_and_ends_none(policy, alice):
    policy(SessionPolicy(max_sessions=2, at_limit="refuse"))
    before = {start(alice).session.pk, start(alice, IPHONE).session.pk}
    with pytest.raises(TooManySessions):
        start(alice)
    credentials = {"email": alice.email, "password": PASSWORD}
    assert refusal(APIClient().post("/api/login", credentials)) == (403, "too_many_sessions")
    assert active() == before
    shortcuts.end_session(DeviceSession.objects.first())
    assert start(alice)


def test_a_bot_ends_bots_and_no_phone(policy, alice, clock):
    policy(SessionPolicy(max_sessions=3, at_limit="evict_alike"))
    bot = "Googlebot/2.1 (+http://www.google.com/bot.html)"
    phone = start(alice, IPHONE).session.pk
    clock.shift(60)
    desk = start(alice).session.pk
    for _login in range(3):
        clock.shift(60)
        last = start(alice, bot).session.pk
    assert active() == {phone, desk, last}


def test_the_limit_of_the_settings_holds_without_another(policy, alice, settings, clock):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    policy(SessionPolicy())
    _first, *others = [start(alice).session.pk for _login in range(3) if clock.shift(60) is None]
    assert active() == set(others)


@pytest.mark.parametrize("wrong", [None, {"idle": 1}, SessionPolicy(max_sessions=-1)])
def test_what_is_no_policy_is_refused(policy, alice, wrong):
    policy(lambda user, session: wrong)
    with pytest.raises(ImproperlyConfigured):
        start(alice)
    assert not active()
