"""django-oauth-toolkit: what an application gets in a browser ends with the session of that browser."""

import base64
import hashlib
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.utils import timezone
from django.utils.crypto import get_random_string
from oauth2_provider.models import (
    DeviceCodeResponse,
    DeviceRequest,
    create_device_grant,
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    set_token_value,
)
from packaging.version import Version

from devices.contrib.oauth_toolkit import DEVICE_CODE, SessionValidator
from devices.models import DeviceSession
from devices.shortcuts import end_session, list_sessions
from tests.factor import Codes
from tests.integrations.behaviour import PASSWORD, people, report

alice = people()
mallory = get_user_model().objects.create_user("mallory", "m@example.org", PASSWORD)
BACK = "https://app.example.org/back"
VERIFIER = "a verifier of the application that is long enough"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().strip("=")


def application(name, grant="authorization-code"):
    return get_application_model().objects.create(
        client_id=name,
        client_secret="secret",
        client_type="confidential",
        authorization_grant_type=grant,
        redirect_uris=BACK,
        skip_authorization=True,
    )


for name, grant in {
    "app": "authorization-code",
    "old": "password",
    "job": "client-credentials",
    "tv": DEVICE_CODE,
    "other tv": DEVICE_CODE,
}.items():
    application(name, grant)


class Application:
    """Gets its tokens in a browser of its own, in which somebody is signed in."""

    def __init__(self, user=alice):
        self.browser, self.server = Client(), Client()
        self.browser.force_login(user)
        self.session = DeviceSession.objects.active().latest("created_at")

    def answer(self, **more):
        """What the browser brings back to the application."""
        asked = {"response_type": "code", "client_id": "app", "redirect_uri": BACK, "state": "x"}
        asked |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        sent = self.browser.get("/o/authorize/", asked | more)
        return parse_qs(urlsplit(sent["Location"]).query)

    def authorize(self):
        [self.code] = self.answer()["code"]
        return self

    def token(self, client="app", **form):
        return self.server.post(
            "/o/token/", form | {"client_id": client, "client_secret": "secret"}
        )

    def exchange(self):
        form = {"code": self.code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.hold(self.token(grant_type="authorization_code", **form))

    def refresh(self):
        return self.hold(self.token(grant_type="refresh_token", refresh_token=self.refresh_token))

    def hold(self, answer):
        if answer.status_code == 200:
            self.access, self.refresh_token = (
                answer.json()[key] for key in ("access_token", "refresh_token")
            )
        return answer

    def enter(self):
        self.authorize()
        assert self.exchange().status_code == 200
        return self

    def ask(self, access=""):
        return self.server.get(
            "/profile/", headers={"Authorization": f"Bearer {access or self.access}"}
        )

    def is_introspected(self, access=""):
        job = self.token("job", grant_type="client_credentials", scope="introspection").json()
        headers = {"Authorization": f"Bearer {job['access_token']}"}
        return self.server.post(
            "/o/introspect/", {"token": access or self.access}, headers=headers
        ).json()["active"]

    def is_in(self):
        answer = self.ask()
        assert answer.status_code in (200, 401), answer.content
        assert self.is_introspected() == (answer.status_code == 200)
        return answer.status_code == 200


# From the code to the next tokens, all of one session.
app = Application().enter()
first = app.refresh_token
assert app.is_in() and app.refresh().status_code == 200 and app.is_in()
assert {each.partition(".")[0] for each in (app.code, app.access, first, app.refresh_token)} == {
    str(app.session.pk)
}

# The response was lost: the same refresh token once more.
if settings.OAUTH2_PROVIDER["REFRESH_TOKEN_GRACE_PERIOD_SECONDS"]:
    assert app.hold(app.token(grant_type="refresh_token", refresh_token=first)).status_code == 200
    assert app.is_in()

# It ends: nothing of it is good any more.
waiting = Application().authorize()
other = Application().enter()
for each in (app.session, waiting.session):
    end_session(each)
assert not app.is_in()
assert 'error="invalid_token"' in app.ask()["WWW-Authenticate"]
for refused in (app.refresh(), waiting.exchange()):
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant"), refused.content
assert other.is_in() and other.refresh().status_code == 200

# By its time, or with the account, as well.
DeviceSession.objects.filter(pk=other.session.pk).update(
    expires_at=timezone.now() - timedelta(seconds=1)
)
assert not other.is_in() and other.refresh().status_code == 400
app = Application().enter()
type(alice).objects.filter(pk=alice.pk).update(is_active=False)
assert not app.is_in() and app.refresh().status_code == 400
type(alice).objects.filter(pk=alice.pk).update(is_active=True)

# The application gives its tokens back: the session goes on.
app = Application().enter()
given = {"token": app.refresh_token, "client_id": "app", "client_secret": "secret"}
assert app.server.post("/o/revoke_token/", given).status_code == 200
assert not app.is_in() and app.refresh().status_code == 400
assert app.session in list_sessions(alice) and app.enter().is_in()

# Without a browser there is no session, and no field of the form can name one.
for claimed in ({}, {"code": f"{app.session.pk}.x"}, {"refresh_token": f"{app.session.pk}.x"}):
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD} | claimed
    got = app.token("old", **form).json()["access_token"]
    assert app.ask(got).status_code == 401 and not app.is_introspected(got)

# The application itself has no user.
job = app.token("job", grant_type="client_credentials").json()["access_token"]
assert app.is_introspected(job) and str(app.session.pk) not in job

# Somebody signs out in the browser.
app.browser.logout()
assert not app.is_in() and app.refresh().status_code == 400

# Without a question (`prompt=none`), as OpenID Connect has it.
app = Application()
assert app.answer(prompt="none", scope="openid read").keys() == {"code", "state"}
for session in list_sessions(alice):
    end_session(session)
assert app.answer(prompt="none", scope="openid read")["error"] == ["login_required"]
get_application_model().objects.update(skip_authorization=False)
app = Application()
assert app.answer(prompt="none", scope="openid read")["error"] == ["consent_required"]
get_application_model().objects.update(skip_authorization=True)

# A device without a browser, which somebody approves in theirs.
TV = "Shop/1.4 (Android TV 14; BRAVIA 4K)"
grants = get_device_grant_model().objects
# With it django-oauth-toolkit 3.4.1 fails at both endpoints: findings/oauth-toolkit-device-flow.sh.
IS_NEW = Version(version("oauthlib")) >= Version("4")
if IS_NEW:
    SessionValidator.validate_device_code = lambda *args: "authorized"


class Television(Application):
    def __init__(self):
        super().__init__()
        self.server = Client(headers={"User-Agent": TV}, REMOTE_ADDR="192.0.2.7")
        self.begun = self.begin()

    def begin(self):
        if IS_NEW:
            given = {"user_code": get_random_string(8), "device_code": get_random_string(30)}
            response = DeviceCodeResponse("", 1800, **given, interval=5)
            create_device_grant(DeviceRequest("tv", "read"), response)
            return given
        form = "client_id=tv&client_secret=secret&scope=read"
        kind = "application/x-www-form-urlencoded"
        return self.server.post("/o/device-authorization/", form, content_type=kind).json()

    def decide(self, action="accept"):
        entered = self.browser.post("/o/device/", {"user_code": self.begun["user_code"]})
        decided = self.browser.post(entered["Location"], {"action": action})
        assert self.browser.get(decided["Location"]).status_code == 200
        return self

    def poll(self, **more):
        form = {"device_code": self.begun["device_code"]} | more
        return self.hold(self.token("tv", grant_type=DEVICE_CODE, **form))

    def refused(self, **more):
        answer = self.poll(**more)
        assert answer.status_code == 400, answer.content
        return answer.json()["error"]

    def refresh(self):
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        return self.hold(self.token("tv", **form))

    def enter(self):
        assert self.decide().poll().status_code == 200
        self.session = DeviceSession.objects.get(pk=self.access.partition(".")[0])
        return self


tv = Television()
assert tv.refused() == "authorization_pending"
phone = tv.session
tv.enter()
# Its own session, which shows the device and goes on without the browser.
assert tv.session.pk != phone.pk and tv.session.login_method == "device_code"
assert (tv.session.ip_address, tv.session.user_agent) == ("192.0.2.7", TV)
assert {each.pk for each in list_sessions(alice)} >= {phone.pk, tv.session.pk}
tv.browser.logout()
assert tv.is_in() and tv.refresh().status_code == 200 and tv.is_in()
# Its tokens keep it alive, and a service that asks about them is not the device.
soon = timezone.now() + timedelta(days=1)
before = {"expires_at": soon, "last_active": tv.session.created_at - timedelta(days=1)}
DeviceSession.objects.filter(pk=tv.session.pk).update(**before)
assert tv.is_introspected()
tv.session.refresh_from_db()
assert tv.session.expires_at == soon
assert tv.refresh().status_code == 200
tv.session.refresh_from_db()
assert tv.session.expires_at > soon and tv.session.last_ip == "192.0.2.7"
# The code gave tokens once.
assert tv.refused() == "expired_token"
end_session(tv.session)
assert not tv.is_in() and tv.refresh().status_code == 400
assert tv.refused() == "expired_token"

# The device signs out: by either token, and of this application only.
for kind in ("access", "refresh_token"):
    tv = Television().enter()
    given = {"token": getattr(tv, kind), "client_secret": "secret"}
    for client_id in ("app", "tv"):
        assert tv.session in list_sessions(alice)
        left = tv.server.post("/o/revoke_token/", given | {"client_id": client_id})
        assert left.status_code == 200
    assert tv.session not in list_sessions(alice)

# Denied, another application's, too late, or approved in a session that has ended since, or that is staff's.
assert Television().decide("deny").refused() == "access_denied"
form = {"grant_type": DEVICE_CODE, "device_code": Television().decide().begun["device_code"]}
assert app.token("other tv", **form).json()["error"] == "access_denied"
late = Television().decide()
grants.filter(device_code=late.begun["device_code"]).update(expires=timezone.now())
assert late.refused() == "expired_token"
left = Television().decide()
end_session(left.session)
assert left.refused() == "access_denied" and left.refused() == "expired_token"
staffs = Television().decide()
by = Application(
    get_user_model().objects.create_superuser("root", "r@example.org", PASSWORD)
).session
acting = {"impersonator": by.user, "impersonator_session_id": by.pk}
DeviceSession.objects.filter(pk=staffs.session.pk).update(**acting)
assert staffs.refused() == "access_denied"
# As strong as the login that approved it.
Codes.codes[alice.pk] = []
with override_settings(DEVICES={"SECOND_FACTOR": "tests.factor.Codes"}):
    assert Television().enter().session.mfa_at
    weak = Television().decide()
    DeviceSession.objects.filter(pk=weak.session.pk).update(mfa_at=None)
    assert weak.refused() == "access_denied"
Codes.codes.clear()
# Approved on a page that notes no session, or with the session of another device in the form.
unnoted = Television()
grants.filter(device_code=unnoted.begun["device_code"]).update(status="authorized", user=alice)
assert unnoted.refused(device_session=str(unnoted.session.pk)) == "access_denied"

# Somebody else's session is none of the token's user.
mine, theirs = Application().enter(), Application(mallory)
checksum = hashlib.sha256(mine.access.encode()).hexdigest()
row = get_access_token_model().objects.get(token_checksum=checksum)
moved = mine.access.replace(str(mine.session.pk), str(theirs.session.pk))
set_token_value(row, moved)
row.save()
assert mine.ask(moved).status_code == 401 and not mine.is_introspected(moved)
report({})
