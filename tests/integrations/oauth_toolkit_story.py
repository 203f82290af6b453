"""django-oauth-toolkit: what an application gets in a browser ends with the session of that browser."""

import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model

from devices.models import DeviceSession
from devices.shortcuts import end_session, list_sessions
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

# Somebody else's session is none of the token's user.
mine, theirs = Application().enter(), Application(mallory)
row = get_access_token_model().objects.get(token=mine.access)
row.token = row.token.replace(str(mine.session.pk), str(theirs.session.pk))
row.save()
assert mine.ask(row.token).status_code == 401 and not mine.is_introspected(row.token)
report({})
