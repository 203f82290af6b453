"""What each way to sign in is put through, from within the project of a page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from devices.models import DeviceSession, LoginThrottle
from devices.shortcuts import end_session
from tests.factor import Codes

PASSWORD = "correct horse battery 9"
NEW = "another horse battery 9"
HERE = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}


class Tab:
    """A client of one integration: signs in, and sends what it got with each request."""

    login_path = logout_path = refresh_path = password_path = ""
    # Of the answer to a login; None: in cookies.
    token: str | None = "access"
    method = "password"
    # What it opens, and what it answers to who leaves.
    opens = "/api/sessions"
    left: tuple[int, ...] = (200, 204)

    def __init__(self, name: str = "alice") -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.name, self.access, self.refresh_token = name, "", ""
        self.answer: Any = None

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        sent = HERE | headers
        if self.access:
            sent["Authorization"] = f"Bearer {self.access}"
        return self.client.generic(
            method,
            path,
            "" if data is None else json.dumps(data),
            content_type="application/json",
            headers=sent,
        )

    def credentials(self) -> dict[str, Any]:
        return {"username": self.name, "password": PASSWORD}

    def sign_in(self, **more: Any) -> "Tab":
        self.answer = self.ask("POST", self.login_path, self.credentials() | more)
        return self.hold()

    def hold(self) -> "Tab":
        if self.answer.status_code in (200, 201) and self.token:
            body = self.answer.json()
            self.access = body.get(self.token, "")
            self.refresh_token = body.get("refresh") or self.refresh_token
        return self

    def refresh(self) -> Any:
        body = {"refresh": self.refresh_token} if self.token else {}
        before, self.access = self.access, ""
        answer = self.ask("POST", self.refresh_path, body)
        self.access = answer.json().get("access", before) if self.token else ""
        self.refresh_token = answer.json().get("refresh", self.refresh_token)
        return answer

    def is_limited(self) -> bool:
        return bool(self.answer.status_code == 429)

    def log_out(self) -> Any:
        if not self.logout_path:
            return self.ask("DELETE", "/api/sessions/current")
        return self.ask("POST", self.logout_path, {})

    def change_password(self) -> Any:
        return self.ask("POST", self.password_path, self.passwords(PASSWORD, NEW))

    def passwords(self, old: str, new: str) -> dict[str, str]:
        raise NotImplementedError

    def is_in(self) -> bool:
        return self.refusal() == ""

    def refusal(self) -> str:
        """The code with which it is kept out of what it opens, or ""."""
        answer = self.ask("GET", self.opens)
        assert answer.status_code in (200, 401), answer.content
        return "" if answer.status_code == 200 else str(answer.json()["code"])


def people() -> Any:
    model = get_user_model()
    model.objects.all().delete()
    return model.objects.create_user("alice", "alice@example.org", PASSWORD)


def only_session() -> DeviceSession:
    return DeviceSession.objects.active().get()


def examine(tab: type[Tab], second_factor: Callable[[], str]) -> list[str]:
    """Put one way to sign in through everything; the cells of its row."""
    alice = people()

    here = tab().sign_in()
    assert here.answer.status_code in (200, 201), here.answer.content
    session = only_session()
    assert session.login_method == here.method, session.login_method
    listed = here.ask("GET", "/api/sessions")
    assert [each["id"] for each in listed.json()] == [str(session.pk)], listed.content
    assert listed.json()[0]["is_current"]
    cells = [session.login_method, "yes"]

    end_session(session)
    assert here.refusal() == "session_revoked"
    assert here.refresh().status_code == 401
    cells.append("at once")

    here = tab().sign_in()
    session = only_session()
    left = here.log_out()
    assert left.status_code in here.left, left.content
    session.refresh_from_db()
    assert session.revoke_reason == "logout", session.revoke_reason
    cells.append("yes")

    here = tab().sign_in()
    before = only_session()
    assert here.refresh().status_code == 200
    after = only_session()
    assert (after.pk, after.generation) == (before.pk, before.generation + 1)
    assert here.is_in()
    cells.append("yes")

    cells.append(second_factor())
    DeviceSession.objects.all().delete()
    alice = people()
    cells.append(guesses(tab))
    cells.append(own_password(tab, alice))
    return cells


def codes(tab: type[Tab], *, is_at_login: bool = True) -> Callable[[], str]:
    """The second factor of `tests.factor.Codes`, which is shown at the login or beforehand."""

    def ask() -> str:
        DeviceSession.objects.all().delete()
        Codes.codes[people().pk] = ["100000"]
        refused = tab().sign_in()
        assert refused.answer.json()["code"] == "otp_required", refused.answer.content
        assert not DeviceSession.objects.exists()
        if is_at_login:
            assert tab().sign_in(otp="100000").is_in() and only_session().mfa_at
        Codes.codes.clear()
        return "asked for"

    return ask


def guesses(tab: type[Tab]) -> str:
    class Guesser(tab):  # type: ignore[misc,valid-type]
        def credentials(self) -> dict[str, Any]:
            return super().credentials() | {"password": "wrong"}

    # The address that one has signed in from has tries of its own.
    guesses = [Guesser().sign_in() for _guess in range(24)]
    found = [guess.is_limited() for guess in guesses]
    if not any(found):
        return "no password"
    assert not found[9] and found[-1], found
    return "limited"


def own_password(tab: type[Tab], alice: Any) -> str:
    LoginThrottle.objects.all().delete()
    if not tab.password_path:
        return "as by login"
    here, there = tab().sign_in(), tab().sign_in()
    assert here.is_in() and there.is_in()
    changed = here.change_password()
    assert changed.status_code in (200, 204), changed.content
    assert here.is_in() and not there.is_in()
    assert here.refresh().status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    return "this one stays"


def report(rows: dict[str, list[str]]) -> None:
    Path("rows.json").write_text(json.dumps(rows))
