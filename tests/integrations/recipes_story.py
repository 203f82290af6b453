"""Recipes and pages without a package of logins: one way to sign in for each, by its name."""

import sys

from asgiref.sync import async_to_sync
from django.core.checks import run_checks
from django.utils import timezone
from pyotp import TOTP as Codes
from pyotp import random_base32

from devices.conf import conf
from devices.models import DeviceSession
from tests.integrations.behaviour import Tab, codes, examine, only_session, people, report


class Login(Tab):
    login_path = "/api/token"
    refresh_path = "/api/token/refresh"
    password_path = "/api/my/password"

    def passwords(self, old, new):
        return {"old": old, "new": new}


class Cookies(Login):
    login_path = "/api/cookie/login"
    logout_path = "/api/cookie/logout"
    refresh_path = "/api/cookie/refresh"

    def refresh(self):
        # Within the grace the token stays as it is.
        DeviceSession.objects.update(rotated_at=timezone.now() - conf.REFRESH_GRACE)
        return super().refresh()


class BothCookies(Cookies):
    token = None

    def ask(self, method, path, data=None, **headers):
        if token := self.client.cookies.get("csrftoken"):
            headers["X-CSRFToken"] = token.value
        return super().ask(method, path, data, **headers)


class Headless(Login):
    login_path = "/_allauth/app/v1/auth/login"
    password_path = "/_allauth/app/v1/account/password/change"
    # allauth answers so to somebody who is not signed in any more.
    left = (401,)

    def hold(self):
        if self.answer.status_code == 200:
            given = self.answer.json()["meta"]
            self.access, self.refresh_token = given["access_token"], given["refresh_token"]
        return self

    def is_limited(self):
        # 400, as allauth answers all that is wrong with a form.
        return "throttled" in [error["code"] for error in self.answer.json().get("errors", ())]

    def log_out(self):
        return self.ask("DELETE", "/_allauth/app/v1/auth/session")

    def passwords(self, old, new):
        return {"current_password": old, "new_password": new}


class Ninja(Login):
    login_path = "/ninja/login"
    refresh_path = "/ninja/refresh"
    opens = "/ninja/orders"


class Adrf(Login):
    login_path = "/adrf/login"
    refresh_path = "/adrf/refresh"
    opens = "/adrf/orders"


class GraphQL(Login):
    def refusal(self):
        answer = self.ask("POST", "/graphql", {"query": "{ device }"})
        if answer.status_code == 200:
            assert answer.json() == {"data": {"device": "Unknown device"}}, answer.content
            return ""
        return answer.json()["code"]


class Plain(Login):
    login_path = "/plain/login"
    refresh_path = "/plain/refresh"
    # The asynchronous one of its views.
    opens = "/plain/later"


class Socket(Login):
    def refusal(self):
        return async_to_sync(self.open)()

    async def open(self):
        from channels.testing import WebsocketCommunicator
        from shop.asgi import application

        given = WebsocketCommunicator(application, "/feed", subprotocols=["bearer", self.access])
        assert (await given.connect())[0]
        answer = await given.receive_output()
        if answer["type"] == "websocket.close":
            assert answer["code"] == 4401
            return answer["reason"]
        assert "device" in answer["text"]
        await given.disconnect()
        return ""


TABS = {
    "cookies": Cookies,
    "cookies for both tokens": BothCookies,
    "allauth, apps": Headless,
    "Channels": Socket,
    "Django Ninja": Ninja,
    "GraphQL (Strawberry)": GraphQL,
    "adrf": Adrf,
    "plain Django views": Plain,
}


def factor_of_allauth():
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP

    DeviceSession.objects.all().delete()
    secret = random_base32()
    user = people()
    TOTP.activate(user, secret)
    spare = RecoveryCodes.activate(user)
    app = Headless().sign_in()
    asked = app.answer.json()
    assert app.answer.status_code == 401 and not DeviceSession.objects.exists()
    assert "mfa_authenticate" in [flow["id"] for flow in asked["data"]["flows"]]
    step = {"X-Session-Token": asked["meta"]["session_token"]}
    code = {"code": Codes(secret).now()}
    app.answer = app.ask("POST", "/_allauth/app/v1/auth/2fa/authenticate", code, **step)
    assert app.hold().is_in() and only_session().mfa_at
    # Nor does the API's own login do without.
    plain = Login().sign_in()
    assert plain.answer.json()["code"] == "otp_required", plain.answer.content
    assert plain.sign_in(otp="000000").answer.json()["code"] == "otp_invalid"
    assert plain.sign_in(otp=spare.get_unused_codes()[0]).is_in()
    return "asked for"


name = sys.argv[1]
tab = TABS[name]
assert run_checks(tags=["devices"]) == []
report({name: examine(tab, factor_of_allauth if tab is Headless else codes(tab))})
