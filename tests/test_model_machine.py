"""Random walks through logins, refreshes, replays, revocations and time, beside a model of the rules."""

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import count

import hypothesis
import pytest
import time_machine
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rest_framework.test import APIClient

from accounts.models import User
from tests.client import CHROME, FIREFOX, IPHONE
from tests.model import ABSOLUTE, ACCESS, GRACE, IDLE, LEEWAY, LIMIT, Answer, Model, Token

STEPS = int(os.environ.get("MODEL_STEPS", "1000"))
# To make a failing walk short takes minutes, and a mutant need only fail.
SKIPPED = {hypothesis.Phase.shrink, hypothesis.Phase.explain} if "MUTANT" in os.environ else set()


class Walk(RuleBasedStateMachine):
    """Each step is done to the site and to the model, and they have to agree."""

    answers = Bundle("answers")
    serial = count()
    steps = 0

    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        # Of the test, and not of a request, which would note its session's activity after the commit.
        self.undo._from_testcase = True
        self.undo.__enter__()
        start = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.travel = time_machine.travel(start, tick=False)
        self.clock = self.travel.start()
        self.model = Model(int(start.timestamp()))
        # The answers of each session that reached its client, in order.
        self.held = defaultdict(list)
        self.password = "correct horse battery 0"
        self.user = User.objects.create_user(f"walker{next(self.serial)}@a.org", self.password)

    def teardown(self):
        self.travel.stop()
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    def step(self, method, path, data=None, **headers):
        # No two steps at the same moment, so that "least recently active" has one answer.
        self.pass_time(1)
        Walk.steps += 1
        self.has_just_logged_in = False
        return getattr(APIClient(**headers), method)(path, data)

    def signed_in_step(self, token, method, path, data=None):
        """The answer to an access token; None if it was refused as it should be."""
        answer = self.step(method, path, data, HTTP_AUTHORIZATION=f"Bearer {token.raw}")
        if codes := self.model.refuses(token):
            assert answer.status_code == 401
            assert answer.json()["code"] in codes
            return None
        self.model.use(token)
        return answer

    def answer(self, session, access, refresh):
        until = min(self.model.now + ACCESS, session.expires())
        answer = Answer(
            Token(access, session, session.generation, until),
            Token(refresh, session, session.generation, session.expires()),
        )
        self.held[session].append(answer)
        return answer

    def try_login(self, device):
        credentials = {"email": self.user.email, "password": self.password}
        return self.step("post", "/api/login", credentials, HTTP_USER_AGENT=device)

    def try_refresh(self, token, is_lost):
        answer = self.step("post", "/api/token/refresh", {"refresh": token.raw})
        given = answer.json()
        if codes := self.model.refresh(token):
            assert answer.status_code == 401
            assert given["code"] in codes
            return multiple()
        assert answer.status_code == 200
        return multiple() if is_lost else self.answer(token.session, **given)

    def look(self, token):
        answer = self.signed_in_step(token, "get", "/api/sessions")
        if answer is not None:
            listed = [session["id"] for session in answer.json()]
            assert listed == [session.id for session in self.model.living()]

    @initialize(target=answers)
    def first_login(self):
        return self.login_on(CHROME)

    @precondition(lambda self: not self.has_just_logged_in)
    @rule(target=answers, device=st.sampled_from([CHROME, FIREFOX, IPHONE]))
    def login(self, device):
        return self.login_on(device)

    def login_on(self, device):
        answer = self.try_login(device)
        assert answer.status_code == 200
        given = answer.json()
        session = self.model.login(given["session_id"])
        self.has_just_logged_in = True
        return self.answer(session, given["access_token"], given["refresh_token"])

    @precondition(lambda self: self.model.living())
    @rule(target=answers, data=st.data(), uses=st.booleans(), is_lost=st.booleans())
    def go_on(self, data, uses, is_lost):
        """What an honest client does: it uses the newest tokens that it has, and refreshes them."""
        newest = self.held[data.draw(st.sampled_from(self.model.living()))][-1]
        if uses:
            self.look(newest.access)
        return self.try_refresh(newest.refresh, is_lost)

    @precondition(lambda self: self.model.living())
    @rule(target=answers, data=st.data())
    def stay(self, data):
        """What an app in the background does: it refreshes in time, again and again, up to the last limit."""
        held = self.held[data.draw(st.sampled_from(self.model.living()))]
        for _ in range(ABSOLUTE // (IDLE // 2)):
            self.pass_time(IDLE // 2)
            answer = self.try_refresh(held[-1].refresh, is_lost=False)
        return answer

    @precondition(lambda self: self.model.living())
    @rule(target=answers, data=st.data(), is_lost=st.booleans())
    def replay(self, data, is_lost):
        """What a thief does, or a tab that slept."""
        held = self.held[data.draw(st.sampled_from(self.model.living()))]
        return self.try_refresh(data.draw(st.sampled_from(held)).refresh, is_lost)

    @rule(any_ever=answers)
    def refresh(self, any_ever):
        self.try_refresh(any_ever.refresh, is_lost=True)

    @rule(any_ever=answers)
    def use(self, any_ever):
        self.look(any_ever.access)

    @precondition(lambda self: self.model.living())
    @rule(
        data=st.data(),
        any_ever=answers,
        other=answers,
        is_stale=st.sampled_from([False, False, True]),
        how=st.sampled_from(["one"] * 4 + ["others", "password"] * 2 + ["all", "save", "update"]),
    )
    def end(self, data, any_ever, other, is_stale, how):
        """Whoever holds a token, by right or not, tries to end sessions with it."""
        newest = self.held[data.draw(st.sampled_from(self.model.living()))][-1]
        token = any_ever.access if is_stale else newest.access
        session = token.session
        if how == "one":
            target = other.access.session
            answer = self.signed_in_step(token, "delete", f"/api/sessions/{target.id}")
            if answer is not None:
                lives = target in self.model.living()
                assert answer.status_code == (204 if lives else 404)
                target.ended |= lives
        elif how in ("others", "all"):
            keep = str(how == "others").lower()
            path = f"/api/sessions/revoke-all?keep_current={keep}"
            answer = self.signed_in_step(token, "post", path)
            if answer is not None:
                kept = session if how == "others" else None
                assert answer.json() == {"revoked": self.model.end_all(kept)}
        elif how == "password":
            new = f"correct horse battery {self.model.now}"
            passwords = {"current_password": self.password, "new_password": new}
            answer = self.signed_in_step(token, "post", "/api/me/password", passwords)
            if answer is not None:
                assert answer.status_code == 204
                self.password = new
                self.model.end_all(session)
        else:
            self.set_active(False, how)
            assert self.try_login(CHROME).json()["code"] == "no_active_account"
            self.set_active(True, how)
            self.model.end_all()

    def set_active(self, is_active, how):
        if how == "save":
            user = User.objects.get(pk=self.user.pk)
            user.is_active = is_active
            user.save()
        else:
            User.objects.filter(pk=self.user.pk).update(is_active=is_active)

    @rule(
        seconds=st.sampled_from(
            [1, GRACE - 1, GRACE, 60] * 4
            + [ACCESS + LEEWAY - 1, ACCESS + LEEWAY, IDLE // 2] * 2
            + [IDLE - 2, IDLE - 1, IDLE + LEEWAY]
        )
    )
    def wait(self, seconds):
        self.pass_time(seconds)

    def pass_time(self, seconds):
        self.clock.shift(timedelta(seconds=seconds))
        self.model.now += seconds


@pytest.mark.django_db
def test_the_site_and_a_model_of_its_rules_agree_on_every_walk(settings):
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS),
        "REFRESH_TOKEN_LIFETIME": timedelta(seconds=IDLE),
        "LEEWAY": timedelta(seconds=LEEWAY),
    }
    settings.DEVICES = {
        **settings.DEVICES,
        "REFRESH_GRACE": GRACE,
        "SESSION_MAX_AGE": ABSOLUTE / 86400,
        "MAX_SESSIONS": LIMIT,
        # So that every use counts for "least recently active".
        "TOUCH_INTERVAL": 0,
        # Neither a stale proof nor a row of logins to an inactive account is what this is about.
        "STEP_UP_MAX_AGE": None,
        "LOGIN_FAILURES_PER_ACCOUNT": 1000,
    }
    Walk.steps = 0
    while Walk.steps < STEPS:
        run_state_machine_as_test(
            Walk,
            settings=hypothesis.settings(
                max_examples=STEPS // 15,
                stateful_step_count=30,
                phases=set(hypothesis.Phase) - SKIPPED,
                deadline=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )
