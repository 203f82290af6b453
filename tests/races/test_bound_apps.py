"""Single-page apps that renew their bound cookie (DBSC) and refresh their token at once, and are revoked."""

import random
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.urls import include, path

from devices.core import sessions
from devices.models import DeviceSession, RevokeReason
from tests.dbsc import BoundApp, bound_cookie, stolen

from .test_bound_cookies import at_once, postgresql

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
]

__all__ = ["postgresql"]  # asks for PostgreSQL by itself

urlpatterns = [
    path("api/", include("devices.contrib.cookies.urls")),
    path("api/", include("devices.contrib.cookies.urls.login")),
    path("", include("project.urls")),
]


def window(app):
    """Another window of the same browser, in another thread."""
    other = BoundApp()
    other.key, other.identifier, other.bound = app.key, app.identifier, app.bound
    other.refresh_url = app.refresh_url
    other.cookies.load(app.cookies.output(header="", sep=";"))
    return other


@pytest.fixture(autouse=True)
def no_grace(settings):
    """Else the refresh token would move on once in 20 seconds."""
    settings.DEVICES = {**settings.DEVICES, "REFRESH_GRACE": timedelta(0)}


def test_renewals_at_once_with_refreshes_sign_nobody_out(alice, rounds, tally):
    app = BoundApp().bind(alice.email)
    app.renew()
    for _round in rounds(200):
        windows = [window(app) for _ in range(4)]
        acts = [windows[0].renew, windows[1].renew, windows[2].refresh, windows[3].refresh]
        answers = at_once(*acts)
        renewed = Counter(answer.status_code for answer in answers[:2])
        refreshed = Counter(answer.status_code for answer in answers[2:])
        tally(rounds=1, renewed=renewed[200], asked_anew=renewed[403], refreshed=refreshed[200])
        # One that was slower is asked for another proof; at least one of the two is renewed.
        assert renewed[200] >= 1 and renewed.keys() <= {200, 403}
        assert refreshed == {200: 2}
        # The browser keeps what came last. All refreshes of a round lead to the same token.
        for answer in answers:
            for name, morsel in answer.cookies.items():
                app.cookies[name] = morsel.value
    session = DeviceSession.objects.get()
    assert session.revoked_at is None
    assert session.generation == len(rounds(200))
    assert app.renew().status_code == app.refresh().status_code == 200


def test_A19_no_app_survives_what_ends_the_session(make_user, rounds, tally):
    for i in rounds(200):
        app = BoundApp(f"203.0.113.{i}").bind(make_user(f"alice{i}@example.org").email)
        app.renew()
        session = DeviceSession.objects.get(user__email=f"alice{i}@example.org")

        def ending(session=session):
            # A renewal takes longer, being asked for twice.
            time.sleep(random.uniform(0, 0.3))
            sessions.revoke(session, reason=RevokeReason.USER)

        def pausing(act):
            time.sleep(random.uniform(0, 0.05))
            return act()

        windows = [window(app) for _ in range(4)]
        acts = [windows[0].renew, windows[1].renew, windows[2].refresh, windows[3].refresh]
        answers = at_once(ending, *[lambda act=act: pausing(act) for act in acts])[1:]
        # Every refresh token that was handed out, with every bound cookie.
        bound = [found.value for each in answers if (found := bound_cookie(each)) and found.value]
        held = [
            m.value
            for each in answers
            if (m := each.cookies.get("__Host-refresh_token")) and m.value
        ]
        survived = 0
        for cookie in [app.cookies[app.bound].value, *bound]:
            for token in [app.cookies["__Host-refresh_token"].value, *held]:
                thief = stolen(app)
                thief.cookies[app.bound], thief.cookies["__Host-refresh_token"] = cookie, token
                survived += BoundApp.send(thief, "/api/cookie/refresh").status_code == 200
        for each in answers[2:]:
            if each.status_code == 200:
                token = {"Authorization": f"Bearer {each.json()['access']}"}
                survived += app.get("/api/me", headers=token).status_code == 200
        assert app.ask().json()["continue"] is False
        tally(rounds=1, renewed=len(bound), refreshed=len(held), survived=survived)
        assert survived == 0
