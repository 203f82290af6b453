"""dj-rest-auth: header and cookies, registration, another site, and its own second factor."""

import sys
import time
from unittest.mock import patch

from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from dj_rest_auth.mfa.models import Authenticator
from dj_rest_auth.mfa.totp import TOTP
from django.contrib.auth import get_user_model
from django.test import override_settings
from pyotp import TOTP as Codes
from pyotp import random_base32

from devices.checks import integrations
from devices.models import DeviceSession
from tests.integrations.behaviour import (
    HERE,
    NEW,
    PASSWORD,
    Tab,
    examine,
    only_session,
    people,
    report,
)

SECRET = random_base32()
IS_COOKIE = "cookies" in sys.argv


class Header(Tab):
    login_path = "/api/auth/login/"
    logout_path = "/api/auth/logout/"
    refresh_path = "/api/auth/token/refresh/"
    password_path = "/api/auth/password/change/"

    def passwords(self, old, new):
        return {"new_password1": new, "new_password2": new}


class Cookie(Header):
    token = None


class Registration(Header):
    login_path = "/api/auth/registration/"
    password_path = ""

    def credentials(self):
        get_user_model().objects.filter(username=self.name).delete()
        address = f"{self.name}@example.org"
        return {
            "username": self.name,
            "email": address,
            "password1": PASSWORD,
            "password2": PASSWORD,
        }


class Social(Header):
    login_path = "/api/auth/github/"
    method = "github"

    def credentials(self):
        alice = get_user_model().objects.get(username=self.name)
        SocialAccount.objects.get_or_create(user=alice, provider="github", uid="7")
        return {"access_token": "of the site"}


SAID = {"id": 7, "login": "alice", "email": "alice@example.org"}


def completed(self, request, app, token, **kwargs):
    """What GitHub would say of the token."""
    return self.get_provider().sociallogin_from_response(request, dict(SAID))


GitHubOAuth2Adapter.complete_login = completed


def second_factor(tab):
    def ask():
        DeviceSession.objects.all().delete()
        alice = people()
        TOTP.activate(alice, SECRET)
        asked = tab().sign_in()
        assert not DeviceSession.objects.exists()
        token = asked.answer.json().get("ephemeral_token")
        if token is None:
            assert asked.answer.json()["code"] == "otp_required", asked.answer.content
            return "asked for"
        wrong = asked.ask("POST", "/api/auth/mfa/verify/", {"ephemeral_token": token, "code": "0"})
        assert wrong.status_code == 400 and not DeviceSession.objects.exists()
        proof = {"ephemeral_token": token, "code": Codes(SECRET).now()}
        asked.answer = asked.ask("POST", "/api/auth/mfa/verify/", proof)
        assert asked.answer.status_code == 200, asked.answer.content
        assert asked.hold().is_in() and only_session().mfa_at
        again = Header().ask("POST", "/api/auth/mfa/verify/", proof)
        assert again.status_code == 400, "a code is good once"
        # Also where dj-rest-auth reads from a replica, which does not know that it was used.
        with patch.object(TOTP, "validate_code", return_value=True):
            again = Header().ask("POST", "/api/auth/mfa/verify/", proof)
        assert again.status_code == 400, "a code is good once"
        # It is the factor of the API's own login, too, and codes are counted.
        refused = Header().ask("POST", "/api/token", {"username": "alice", "password": PASSWORD})
        assert refused.json()["code"] == "otp_required"
        tries = [
            Header().ask("POST", "/api/auth/mfa/verify/", proof | {"code": str(guess)}).status_code
            for guess in range(24)
        ]
        assert tries[-1] == 429, tries
        Authenticator.objects.all().delete()
        return "asked for"

    return ask


def no_factor():
    return "new account"


if IS_COOKIE:
    rows = {"dj-rest-auth, cookies": examine(Cookie, second_factor(Cookie))}
    here = Cookie()
    people()
    here.sign_in()
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    listed = here.ask("GET", "/api/sessions", **evil)
    assert listed.status_code == 200
    # What caches go by.
    assert {"Authorization", "Cookie"} <= set(listed["Vary"].split(", "))
    refused = here.ask("POST", "/api/sessions/revoke-all", {}, **evil)
    assert (refused.status_code, refused.json().get("code")) == (403, "csrf_failed"), (
        refused.content
    )
    assert here.ask("POST", "/api/sessions/revoke-all", {}).status_code == 200
    assert HERE
else:
    rows = {
        "dj-rest-auth": examine(Header, second_factor(Header)),
        "dj-rest-auth, registration": examine(Registration, no_factor),
        "dj-rest-auth, another site": examine(Social, second_factor(Social)),
    }
    # A password is taken as it was typed, where it is set as where it is asked for.
    dora = Registration("dora")
    spaced = f" {PASSWORD} "
    dora.sign_in(password1=spaced, password2=spaced)
    login = {"username": "dora", "password": spaced}
    assert Header().ask("POST", "/api/token", login).status_code == 200
    given = {"old_password": spaced, "new_password1": f" {NEW} ", "new_password2": f" {NEW} "}
    assert dora.ask("POST", "/api/auth/password/change/", given).status_code == 200
    login["password"] = f" {NEW} "
    assert Header().ask("POST", "/api/token", login).status_code == 200
    # A site that still knows its user asks for no proof, and may say when it last did.
    DeviceSession.objects.all().delete()
    people()
    hour_ago = int(time.time()) - 3600
    with patch.dict(SAID, auth_time=hour_ago):
        Social().sign_in()
    assert only_session().authenticated_at.timestamp() == hour_ago
    # Followed to the letter, it makes tokens that are refused everywhere.
    with override_settings(REST_AUTH={"USE_JWT": True}):
        assert {each.id for each in integrations.check()} == {"devices.E131", "devices.W133"}
report(rows)
