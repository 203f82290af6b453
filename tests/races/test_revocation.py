"""A19: whatever ends a session, racing seven refreshes of its token. Nothing survives it."""

import random
import time
from datetime import timedelta
from itertools import chain, cycle, islice
from typing import NamedTuple

import pytest
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from devices.core.liveness.invalidation import LEASE
from devices.core.retention import cleanup
from devices.models import Activity, DeviceSession
from tests.client import PASSWORD
from tests.devices.admin import pages

from .site import Tokens

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NEW_PASSWORD = "another horse, another battery"

# In the mode "cached" an end is known everywhere within this many seconds: no process goes longer by what
# it remembers without having heard everything that was said.
BOUND = LEASE + 0.1


class Scene(NamedTuple):
    user: User
    # The session that is refreshed and ended, and another one of the same user.
    victim: Tokens
    other: Tokens
    # A superuser's browser.
    root: Browser


def from_another_device(caller, scene):
    path = f"/api/sessions/{scene.victim.session_id}"
    assert caller.bearing("DELETE", path, scene.other.access).status_code == 204


def revoke_all(caller, scene):
    answer = caller.bearing("POST", "/api/sessions/revoke-all", scene.other.access)
    assert answer.json() == {"revoked": 1}


def logout(caller, scene):
    assert caller.bearing("POST", "/api/logout", scene.victim.access).status_code == 204


def blacklist(caller, scene):
    answer = caller.post("/api/token/blacklist", json={"refresh": scene.victim.refresh})
    assert answer.status_code == 200


def admin(caller, scene):
    session = DeviceSession.objects.get(pk=scene.victim.session_id)
    assert pages.revoke(scene.root, session, note="Reported stolen.").status_code == 302


def password_change(caller, scene):
    passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = caller.bearing("POST", "/api/me/password", scene.other.access, json=passwords)
    assert answer.status_code == 204


def set_password(caller, scene):
    scene.user.set_password(NEW_PASSWORD)
    scene.user.save()


def deactivation_by_save(caller, scene):
    scene.user.is_active = False
    scene.user.save()


def deactivation_by_update(caller, scene):
    User.objects.filter(pk=scene.user.pk).update(is_active=False)


def deactivation_by_sql(caller, scene):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_active = false WHERE id = %s", [scene.user.pk])


OF_THE_SESSION = {
    from_another_device: "user",
    revoke_all: "user_all",
    logout: "logout",
    blacklist: "logout",
    admin: "admin",
    password_change: "password_changed",
}
OF_THE_ACCOUNT = {
    set_password: "password_changed",
    deactivation_by_save: "deactivated",
    deactivation_by_update: "deactivated",
    deactivation_by_sql: "deactivated",
}


@pytest.fixture
def scenes(site, rounds, make_user):
    """scenes(200): for each round another user with two sessions."""
    root = Browser()
    root.force_login(make_user("root@example.org", is_staff=True, is_superuser=True))

    def scenes(most):
        for i in rounds(most if site.liveness == "database" else most // 4):
            user = make_user(f"alice{i}@example.org")
            victim, other = (site.caller.login(user.email) for _ in range(2))
            yield Scene(user, victim, other, root)

    return scenes


def race(site, revoke, scene):
    """Seven refreshes against `revoke`: all tokens the victim was ever given, and the codes of refusal."""
    # Some come before, some beside and some after; slow revocations need more of a start.
    spread = random.uniform(0, 0.06)

    def run(caller, i):
        if not i:
            return revoke(caller, scene)
        time.sleep(random.uniform(0, spread))
        answer = caller.refresh(scene.victim.refresh)
        # The tokens are used at once, so that whoever remembers them has them to forget.
        caller.me(answer.json()["access"] if answer.is_success else scene.victim.access)
        return answer

    answers = site.par(8, run)[1:]
    if site.liveness == "cached":
        time.sleep(BOUND)
    refreshed = [answer.json() for answer in answers if answer.status_code == 200]
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 401]
    assert len(refreshed) + len(refused) == 7
    return [{"access": scene.victim.access, "refresh": scene.victim.refresh}, *refreshed], refused


def survivors(site, handed_out):
    """How many of at least twenty questions, each on a new connection to any worker, were answered."""
    asks = list(chain.from_iterable(tokens.items() for tokens in handed_out))
    asks = list(islice(cycle(asks), max(20, len(asks))))

    def ask(caller, i):
        caller.headers["Connection"] = "close"
        return [
            caller.me(token) if kind == "access" else caller.refresh(token)
            for kind, token in asks[i::4]
        ]

    answers = list(chain.from_iterable(site.par(4, ask)))
    assert {answer.status_code for answer in answers} <= {200, 401}
    return sum(answer.status_code == 200 for answer in answers)


@pytest.mark.parametrize(
    ("site", "revoke"),
    [
        *(("database", revoke) for revoke in (*OF_THE_SESSION, *OF_THE_ACCOUNT)),
        # One of each kind: by the API, by the admin, by a saved user, and known to the database alone.
        *(("cached", revoke) for revoke in (from_another_device, admin, set_password)),
        ("cached", deactivation_by_sql),
    ],
    indirect=["site"],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_A19_nothing_survives_a_revocation_racing_refreshes(site, scenes, tally, revoke):
    for scene in scenes(200):
        password = scene.user.password
        handed_out, refused = race(site, revoke, scene)
        assert set(refused) <= {"session_revoked"}
        survived = survivors(site, handed_out)
        tally(rounds=1, refreshed=len(handed_out) - 1, refused=len(refused), survived=survived)
        assert survived == 0
        session = DeviceSession.objects.get(pk=scene.victim.session_id)
        assert session.revoke_reason == {**OF_THE_SESSION, **OF_THE_ACCOUNT}[revoke]
        log = Activity.objects.filter(session_id=session.pk).order_by("id")
        assert [line.kind for line in log] == ["session.started", "session.revoked"]
        if revoke in OF_THE_SESSION:
            assert survivors(site, [{"access": scene.other.access}]) == 20
        else:
            # Although everything is as it was, nothing comes back.
            User.objects.filter(pk=scene.user.pk).update(is_active=True, password=password)
            assert survivors(site, [*handed_out, {"access": scene.other.access}]) == 0


@pytest.mark.parametrize("site", ["database", "cached"], indirect=True)
def test_A12_nothing_survives_the_account(site, scenes, tally):
    def deletion(caller, scene):
        User.objects.get(pk=scene.user.pk).delete()

    for scene in scenes(200):
        handed_out, refused = race(site, deletion, scene)
        assert set(refused) <= {"token_not_valid"}
        survived = survivors(site, [*handed_out, {"access": scene.other.access}])
        tally(rounds=1, refreshed=len(handed_out) - 1, refused=len(refused), survived=survived)
        assert survived == 0
        assert not DeviceSession.objects.filter(user_id=scene.user.pk).exists()


def test_A19_cleaning_up_takes_a_session_whole_or_leaves_it_to_its_refresh(site, scenes, tally):
    def clean_up(caller, scene):
        # What was not active since the login, as the victim was not until it is refreshed.
        rows = DeviceSession.objects.filter(pk=scene.victim.session_id)
        login = rows.values_list("created_at", flat=True).get()
        list(cleanup.purge(inactive=timezone.now() - login - timedelta(milliseconds=1)))

    for scene in scenes(200):
        handed_out, refused = race(site, clean_up, scene)
        refreshed = handed_out[1:]
        survived = survivors(site, refreshed) if refreshed else 0
        tally(rounds=1, refreshed=len(refreshed), refused=len(refused))
        if DeviceSession.objects.filter(pk=scene.victim.session_id).exists():
            assert (len(refused), survived) == (0, 20)
        else:
            assert refused == ["token_not_valid"] * 7
