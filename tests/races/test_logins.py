"""A23 and its kin: logins against the limit, and against what ends all sessions of their user."""

import random
import time

import pytest

from accounts.models import User
from devices.conf import conf
from devices.models import Activity, DeviceSession, LoginThrottle
from tests.client import PASSWORD

from .site import Cookie

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

DOORS = ("/api/login", "/api/token", "/_allauth/app/v1/auth/login")
LIMIT = 5


def answered(caller, tokens):
    """Whether both tokens of a session are, or neither; of a browser, its cookie."""
    if isinstance(tokens, Cookie):
        return caller.sees_pages(tokens)
    [alive] = {caller.me(tokens.access).status_code, caller.refresh(tokens.refresh).status_code}
    assert alive in (200, 401)
    return alive == 200


def test_A23_parallel_logins_leave_exactly_the_newest_five(site, rounds, tally, make_user):
    for i in rounds(20):
        user = make_user(f"alice{i}@example.org")
        older = site.caller.login(user.email)

        def run(caller, i):
            if i == 30:
                # A session in the middle of its refresh is not spared, nor half evicted.
                return caller.refresh(older.refresh)
            if i % 4 == 3:
                return caller.sign_in_to_pages(user.email)
            return caller.login(user.email, path=DOORS[i % 4])

        *logins, refreshed = site.par(31, run)
        mine = DeviceSession.objects.filter(user_id=user.pk)
        living = {str(pk) for pk in mine.active().values_list("pk", flat=True)}
        assert len(living) == LIMIT
        assert set(mine.revoked().values_list("revoke_reason", flat=True)) == {"limit"}
        newest = mine.exclude(pk=older.session_id).order_by("-created_at")
        kept = living - {older.session_id}
        assert kept == {str(session.pk) for session in newest[: len(kept)]}
        # The doors say the same as the table, and at once.
        alive = {login.session_id for login in logins if answered(site.caller, login)}
        assert alive == kept
        if refreshed.status_code == 200:
            given = refreshed.json()
            older = older._replace(access=given["access"], refresh=given["refresh"])
        assert answered(site.caller, older) == (older.session_id in living)
        assert not LoginThrottle.objects.filter(failures__gt=0).exists()
        tally(rounds=1, logins=len(logins), alive=len(living))


def test_revoke_all_racing_logins_misses_none_that_came_before_it(site, rounds, tally, make_user):
    for i in rounds(200):
        user = make_user(f"alice{i}@example.org")
        owner, phone = (site.caller.login(user.email) for _ in range(2))

        def run(caller, i):
            if i:
                return caller.login(user.email, path=DOORS[i % 2])
            time.sleep(random.uniform(0, 0.05))
            return caller.bearing("POST", "/api/sessions/revoke-all", owner.access)

        answer, *logins = site.par(4, run)
        revoked = answer.json()["revoked"]
        # Both read the clock while they hold the user's row, so that the times tell who came first.
        at = DeviceSession.objects.get(pk=phone.session_id).revoked_at
        racing = DeviceSession.objects.filter(pk__in=[login.session_id for login in logins])
        before = racing.filter(created_at__lt=at)
        assert before.active().count() == 0
        assert racing.filter(created_at__gt=at).revoked().count() == 0
        assert revoked == 1 + before.count()
        living = {str(pk) for pk in racing.active().values_list("pk", flat=True)}
        alive = {login.session_id for login in logins if answered(site.caller, login)}
        assert alive == living
        assert answered(site.caller, owner)
        tally(rounds=1, logins=len(logins), revoked=revoked - 1)


def test_A18_no_login_with_the_old_password_survives_the_change(site, rounds, tally, make_user):
    for i in rounds(50):
        user = make_user(f"alice{i}@example.org")

        def run(caller, i):
            if i:
                credentials = {"email": user.email, "password": PASSWORD}
                return caller.post(DOORS[i % 2], json=credentials)
            time.sleep(random.uniform(0, 0.05))
            user.set_password("another horse, another battery")
            return user.save()

        answers = site.par(6, run)[1:]
        refused = [answer.json()["code"] for answer in answers if answer.status_code == 401]
        assert set(refused) <= {"no_active_account"}
        mine = DeviceSession.objects.filter(user_id=user.pk)
        assert mine.count() == 5 - len(refused), [(a.status_code, a.text[:200]) for a in answers]
        given = [answer.json() for answer in answers if answer.status_code == 200]
        access = [tokens.get("access_token") or tokens["access"] for tokens in given]
        asked = [site.caller.me(token).status_code for token in access]
        assert set(asked) <= {401}
        assert mine.active().count() == 0
        tally(rounds=1, logins=len(given), refused=len(refused))


def test_A12_an_account_can_be_deleted_while_its_owner_uses_it(site, rounds, tally, make_user):
    for i in rounds(200):
        user = make_user(f"alice{i}@example.org")
        phone, *others = [site.caller.login(user.email) for _ in range(LIMIT)]

        def run(caller, i):
            time.sleep(random.uniform(0, 0.03))
            if i == 0:
                return User.objects.get(pk=user.pk).delete()
            if i < 3:
                credentials = {"email": user.email, "password": PASSWORD}
                return caller.post(DOORS[i % 2], json=credentials)
            path = f"/api/sessions/{others[i - 3].session_id}"
            if i < 5:
                return caller.bearing("DELETE", path, phone.access)
            return caller.bearing("PATCH", path, phone.access, json={"name": "phone"})

        statuses = [answer.status_code for answer in site.par(7, run)[1:]]
        assert set(statuses) <= {200, 204, 401, 404}
        for model, key in ((User, "pk"), (DeviceSession, "user_id"), (Activity, "user_id")):
            assert not model.objects.filter(**{key: user.pk}).exists()
        tally(
            rounds=1, **{f"answered_{status}": statuses.count(status) for status in set(statuses)}
        )


def test_A30_guesses_at_once_reach_the_hasher_no_more_often_than_the_limit(
    site, rounds, tally, make_user
):
    for i in rounds(10):
        user = make_user(f"alice{i}@example.org")

        def guess(caller, i):
            return caller.post(DOORS[i % 2], json={"email": user.email, "password": f"guess {i}"})

        failed, blocked = (len(site.events(kind)) for kind in ("login.failed", "login.blocked"))
        statuses = [answer.status_code for answer in site.par(60, guess)]
        # Each attempt that was not blocked was hashed, and is in the log.
        failed = len(site.events("login.failed")) - failed
        blocked = len(site.events("login.blocked")) - blocked
        assert (statuses.count(401), statuses.count(429)) == (failed, blocked)
        assert failed == conf.LOGIN_FAILURES_PER_ACCOUNT
        assert failed + blocked == 60
        tally(rounds=1, hashed=failed, blocked=blocked)
