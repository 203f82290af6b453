"""A login takes several steps, and its owner may change the account between two of them."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from accounts.models import User
from devices.models import DeviceSession
from tests import oidc
from tests.authenticator import enrol
from tests.client import IPHONE, PASSWORD, Device, refusal

HEADLESS = "/_allauth/app/v1"
NEW = "another horse 9 battery"


class OnPage:
    """A browser that has proved the first factor."""

    def __init__(self, email):
        self.browser = Client()
        self.browser.post("/accounts/login/", {"login": email, "password": PASSWORD})
        assert SESSION_KEY not in self.browser.session

    def finish(self, code):
        answer = self.browser.post("/accounts/2fa/authenticate/", {"code": code})
        assert answer.status_code == 302, answer.content
        return SESSION_KEY in self.browser.session


class InApp:
    """An app that has."""

    def __init__(self, email):
        self.app = Device(IPHONE)
        body = {"email": email, "password": PASSWORD}
        answer = self.app.post(f"{HEADLESS}/auth/login", body)
        assert answer.status_code == 401
        self.headers = {"X-Session-Token": answer.json()["meta"]["session_token"]}

    def finish(self, code):
        where = f"{HEADLESS}/auth/2fa/authenticate"
        answer = self.app.post(where, {"code": code}, headers=self.headers)
        assert answer.status_code in (200, 401), answer.json()
        return answer.status_code == 200


class WithProvider(OnPage):
    """A browser that comes back from another site."""

    def __init__(self, email):
        self.browser = Client()
        oidc.sign_in(self.browser, self.provider, "alice")
        assert SESSION_KEY not in self.browser.session


@pytest.fixture
def connected(alice, loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    WithProvider.provider = loopback
    sub = loopback.knows("alice", email=alice.email, email_verified=True)
    alice.emailaddress_set.create(email=alice.email, verified=True, primary=True)
    alice.socialaccount_set.create(provider="oidc", uid=sub)


def change_password(user):
    account = User.objects.get(pk=user.pk)
    account.set_password(NEW)
    account.save()


@pytest.mark.parametrize("begin", [OnPage, InApp, WithProvider])
@pytest.mark.usefixtures("connected")
def test_A18_a_login_begun_under_the_old_password_ends_with_it(alice, begin, sign_in):
    sign_in(alice)
    app = enrol(alice)
    assert begin(alice.email).finish(app.recovery_codes[0])
    stranger, another = begin(alice.email), begin(alice.email)
    change_password(alice)
    assert not stranger.finish(app.recovery_codes[1])
    # Nor by trying once more.
    assert not another.finish(app.recovery_codes[2])
    assert not DeviceSession.objects.active().exists()


@pytest.mark.parametrize("door", ["/api/login", "/api/token", "/accounts/login/"])
def test_V6_3_4_a_factor_enrolled_while_a_password_is_hashed_is_asked_for(alice, monkeypatch, door):
    check = User.check_password

    def slowly(self, password):
        right = check(self, password)
        enrol(self)
        return right

    monkeypatch.setattr(User, "check_password", slowly)
    if door.startswith("/api/"):
        answer = Device().post(door, {"email": alice.email, "password": PASSWORD})
        assert refusal(answer) == (401, "otp_required")
    else:
        browser = Client()
        browser.post(door, {"login": alice.email, "password": PASSWORD})
        assert SESSION_KEY not in browser.session
    assert not DeviceSession.objects.exists()
