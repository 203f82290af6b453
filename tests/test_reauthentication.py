"""Every way to confirm who one is, for everybody: which of them open the steps that ask for it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from devices.core import sessions, tokens
from devices.core.clients.client import Client
from devices.models import DeviceSession, LoginThrottle
from tests.authenticator import enrol
from tests.client import CHROME, PASSWORD, Device, refusal
from tests.passkey import Key

APP = "/_allauth/app/v1"
OTHER = "other@example.org"
NEW = "a new password 7"
SIXTEEN_MINUTES = 16 * 60

WAYS = ("password", "code by mail", "authenticator app", "recovery code", "passkey")
SURFACES = ("page", "app")
STEPS = ("sign out others", "add a factor", "remove a factor", "change address", "change password")


class Person(NamedTuple):
    password: bool
    verified: bool
    factor: str
    # Which ways count for them; whoever comes by another one is still asked.
    lets_in: tuple[str, ...]
    # What allauth's pages and endpoints ask for instead.
    page: str
    flow: str


PEOPLE = {
    "password only": Person(
        True, True, "", ("password",), "/accounts/reauthenticate/", "reauthenticate"
    ),
    "authenticator app": Person(
        True,
        True,
        "totp",
        ("authenticator app", "recovery code"),
        "/accounts/2fa/reauthenticate/",
        "mfa_reauthenticate",
    ),
    "passkey only": Person(
        False,
        True,
        "webauthn",
        ("recovery code", "passkey"),
        "/accounts/2fa/reauthenticate/",
        "mfa_reauthenticate",
    ),
    "another site only": Person(
        False,
        True,
        "",
        ("code by mail",),
        "/accounts/reauthenticate/code/",
        "reauthenticate_by_code",
    ),
    "unverified address": Person(
        True, False, "", ("password",), "/accounts/reauthenticate/", "reauthenticate"
    ),
    # No way is left to them but a new sign-in.
    "another site only, unverified": Person(False, False, "", (), "/accounts/sign-in-again/", ""),
}
# Steps that an account is open to only once its address is proved, whatever else was.
ATTACHING = {"add a factor", "change address"}


def steps_of(who: str) -> list[str]:
    has_factor = bool(PEOPLE[who].factor)
    return [step for step in STEPS if has_factor or step != "remove a factor"]


# People, and a session of theirs whose proof is 16 minutes old


@pytest.fixture
def somebody(db, clock):
    def somebody(who: str, surface: str) -> Any:
        person = PEOPLE[who]
        user = User.objects.create_user("alice@example.org", PASSWORD if person.password else None)
        own = EmailAddress(user=user, email=user.email, verified=person.verified, primary=True)
        own.save()
        if person.verified:
            EmailAddress.objects.create(user=user, email=OTHER, verified=True)
        world = SimpleNamespace(user=user, person=person)
        world.app = enrol(user) if person.factor == "totp" else None
        world.key = Key(user) if person.factor == "webauthn" else None
        laptop = sessions.start(user, Client("203.0.113.9", CHROME), mfa=bool(person.factor))
        world.laptop = laptop.pk
        if surface == "page":
            world.client = Browser(raise_request_exception=False)
            world.client.force_login(user)
            clock.shift(SIXTEEN_MINUTES)
        else:
            session = sessions.start(user, Client("203.0.113.7", CHROME), mfa=bool(person.factor))
            clock.shift(SIXTEEN_MINUTES)
            world.client = Device()
            world.client.hold({**tokens.issue(session)._asdict(), "session_id": str(session.pk)})
        mail.outbox.clear()
        return world

    return somebody


# The ways


def mailed() -> str:
    found = re.search(r"^[A-Z]{4}-[A-Z]{4}$", mail.outbox[-1].body, re.M) if mail.outbox else None
    return found[0] if found else "AAAA-AAAA"


def app_code(world: Any) -> str:
    return str(world.app.code()) if world.app else "000000"


def recovery_code(world: Any) -> str:
    factor = world.app or world.key
    return str(factor.recovery_codes[0]) if factor else "00000000"


def signature(world: Any, options: Any) -> dict[str, Any]:
    return world.key.sign(options) if world.key and options else {}


def by_code_on_page(world: Any) -> None:
    for method in (world.client.get, world.client.post):
        method("/accounts/reauthenticate/code/", {"recipient": world.user.email})
    world.client.post("/accounts/reauthenticate/code/confirm/", {"code": mailed()})


def by_code_in_app(world: Any) -> None:
    code = f"{APP}/auth/reauthenticate/code"
    world.client.post(f"{code}/request", {"email": world.user.email})
    world.client.post(f"{code}/resend")
    world.client.post(f"{code}/confirm", {"code": mailed()})


def by_passkey_on_page(world: Any) -> None:
    where = "/accounts/2fa/webauthn/reauthenticate/"
    page = world.client.get(where)
    options = page.context["js_data"]["request_options"] if page.context else None
    world.client.post(where, {"credential": json.dumps(signature(world, options))})


def by_passkey_in_app(world: Any) -> None:
    where = f"{APP}/auth/webauthn/reauthenticate"
    options = world.client.get(where).json()["data"]["request_options"]
    world.client.post(where, {"credential": signature(world, options)})


def sends(page: str, endpoint: str, field: str, proof: Callable[[Any], str]) -> Any:
    def on_page(world: Any) -> None:
        world.client.post(f"/accounts/{page}", {field: proof(world)})

    def in_app(world: Any) -> None:
        world.client.post(f"{APP}/auth/{endpoint}", {field: proof(world)})

    return {"page": on_page, "app": in_app}


MFA = ("2fa/reauthenticate/", "2fa/reauthenticate", "code")
PROVE: dict[str, dict[str, Callable[[Any], None]]] = {
    "password": sends("reauthenticate/", "reauthenticate", "password", lambda _: PASSWORD),
    "code by mail": {"page": by_code_on_page, "app": by_code_in_app},
    "authenticator app": sends(*MFA, app_code),
    "recovery code": sends(*MFA, recovery_code),
    "passkey": {"page": by_passkey_on_page, "app": by_passkey_in_app},
}


# The steps, and whether somebody was let in, by what it did


def step_on_page(world: Any, step: str) -> Any:
    post = world.client.post
    person: Person = world.person
    if step == "sign out others":
        return post("/devices/sign-out-others/")
    if step == "add a factor":
        return world.client.get("/accounts/2fa/webauthn/add/")
    if step == "remove a factor":
        if world.key:
            return post(f"/accounts/2fa/webauthn/keys/{world.key.row.pk}/remove/")
        return post("/accounts/2fa/totp/deactivate/")
    if step == "change address":
        action = "action_primary" if person.verified else "action_add"
        return post("/accounts/email/", {action: "", "email": OTHER})
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    return post(f"/accounts/password/{'change' if person.password else 'set'}/", form)


def step_in_app(world: Any, step: str) -> Any:
    client, account = world.client, f"{APP}/account"
    person: Person = world.person
    if step == "sign out others":
        return client.post("/api/sessions/revoke-all")
    if step == "add a factor":
        return client.get(f"{account}/authenticators/webauthn")
    if step == "remove a factor":
        if world.key:
            keys = {"authenticators": [world.key.row.pk]}
            return client.delete(f"{account}/authenticators/webauthn", keys)
        return client.delete(f"{account}/authenticators/totp")
    if step == "change address":
        if person.verified:
            return client.patch(f"{account}/email", {"email": OTHER, "primary": True})
        return client.post(f"{account}/email", {"email": OTHER})
    old = {"current_password": PASSWORD} if person.password else {}
    return client.post(f"{account}/password/change", old | {"new_password": NEW})


def is_let_in(world: Any, step: str, answer: Any) -> bool:
    user = User.objects.get(pk=world.user.pk)
    if step == "sign out others":
        return not DeviceSession.objects.active().filter(pk=world.laptop).exists()
    if step == "add a factor":
        return bool(answer.status_code == 200)
    if step == "remove a factor":
        return not Authenticator.objects.filter(user=user, type=world.person.factor).exists()
    if step == "change address":
        added = EmailAddress.objects.filter(user=user, email=OTHER).exists()
        return user.email == OTHER or (added and not world.person.verified)
    return bool(user.check_password(NEW))


def is_asked_well(world: Any, step: str, answer: Any) -> bool:
    """Whether somebody who is not let in is told what counts for them."""
    person: Person = world.person
    if "Location" in answer:
        where = answer["Location"].partition("?")[0]
        by_us = step in ("sign out others", "change password")
        return bool(where == ("/devices/confirm/" if by_us else person.page))
    if step == "sign out others":
        return bool(answer.json()["code"] == "insufficient_user_authentication")
    flows = answer.json()["data"]["flows"]
    told = [flow["id"] for flow in flows]
    return bool(answer.status_code == 401 and told == ([person.flow] if person.flow else []))


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", PEOPLE)
def test_each_way_opens_the_steps_of_those_for_whom_it_counts(somebody, who, way, surface):
    world = somebody(who, surface)
    PROVE[way][surface](world)
    counts = way in PEOPLE[who].lets_in
    take = step_on_page if surface == "page" else step_in_app
    barred = set() if PEOPLE[who].verified else ATTACHING
    for step in steps_of(who):
        answer = take(world, step)
        assert is_let_in(world, step, answer) == (counts and step not in barred), step
        assert counts or step in barred or is_asked_well(world, step, answer), step


def test_no_mail_and_no_password_counts_for_who_has_a_second_factor():
    for person in PEOPLE.values():
        assert not person.factor or not {"password", "code by mail"} & set(person.lets_in)


def test_the_documents_have_the_table():
    names = list(PEOPLE)
    rows = [["", *names], ["---"] * (len(names) + 1)]
    for way in WAYS:
        rows.append([way, *("yes" if way in PEOPLE[who].lets_in else "no" for who in names)])
    rows.append(["pages ask at", *(f"`{PEOPLE[who].page}`" for who in names)])
    told = (f"`{PEOPLE[who].flow}`" if PEOPLE[who].flow else "no flow" for who in names)
    rows.append(["apps are told", *told])
    table = "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)
    text = (Path(settings.BASE_DIR) / "docs" / "step-up.md").read_text()
    assert table in text, table


# A code that is sent again

CODE = f"{APP}/auth/reauthenticate/code"


def resend(world: Any) -> int:
    return int(world.client.post(f"{CODE}/resend").status_code)


def confirms(world: Any, code: str) -> bool:
    world.client.post(f"{CODE}/confirm", {"code": code})
    return bool(world.client.post("/api/sessions/revoke-all").status_code == 200)


def test_no_code_is_sent_again_here_and_the_first_one_stays_good(somebody):
    world = somebody("another site only", "app")
    assert resend(world) == 409
    world.client.post(f"{CODE}/request", {"email": world.user.email})
    assert resend(world) == 409
    assert len(mail.outbox) == 1
    assert confirms(world, mailed())


def test_where_codes_are_sent_again_the_last_one_is_good_and_no_other(somebody, settings):
    settings.ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = 2
    world = somebody("another site only", "app")
    world.client.post(f"{CODE}/request", {"email": world.user.email})
    first = mailed()
    assert [resend(world) for _ in range(3)] == [200, 200, 409]
    assert [each.to for each in mail.outbox] == [[world.user.email]] * 3
    assert mailed() != first
    assert not confirms(world, first)
    assert confirms(world, mailed())


@pytest.mark.parametrize("who", [who for who in PEOPLE if who != "another site only"])
def test_nobody_with_something_better_has_a_code_sent_again(somebody, settings, who):
    settings.ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = 2
    world = somebody(who, "app")
    world.client.post(f"{CODE}/request", {"email": world.user.email})
    assert resend(world) == 409
    assert mail.outbox == []


def test_a_code_that_is_sent_again_after_a_factor_was_enrolled_counts_for_nothing(
    somebody, settings
):
    settings.ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = 2
    world = somebody("another site only", "app")
    world.client.post(f"{CODE}/request", {"email": world.user.email})
    enrol(world.user)
    before = list(DeviceSession.objects.order_by("pk").values_list("authenticated_at"))
    resend(world)
    assert not confirms(world, mailed())
    assert list(DeviceSession.objects.order_by("pk").values_list("authenticated_at")) == before


# Who has neither a password nor a second factor


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD}, {"otp": "000000"}])
@pytest.mark.parametrize("is_doubted", [False, True])
def test_the_api_tells_who_has_nothing_to_confirm_with_how_to(somebody, body, is_doubted):
    world = somebody("another site only", "app")
    if is_doubted:
        DeviceSession.objects.update(reauth_required_since=timezone.now())
    answer = world.client.post("/api/sessions/current/confirm", body)
    assert refusal(answer) == (401, "password_not_set")
    assert "code by email" in answer.json()["detail"]
    # Nothing was guessed at.
    assert not LoginThrottle.objects.exists()


def test_a_doubted_browser_of_somebody_without_a_password_is_led_to_the_code_that_ends_it(somebody):
    world = somebody("another site only", "page")
    DeviceSession.objects.filter(user=world.user).update(reauth_required_since=timezone.now())
    page = world.client.get("/devices/confirm/?next=/devices/")
    assert "your password is not enough" not in page.content.decode()
    assert "follow the link in it" in page.content.decode()
    where = page.context["other_way"]
    assert f'href="{where}"' in page.content.decode()
    code = world.client.get(where)["Location"]
    asked = world.client.post(code, {"recipient": world.user.email})
    back = world.client.post(asked["Location"], {"code": mailed()})
    assert back["Location"] == "/devices/"
    world.client.post("/devices/sign-out-others/")
    assert not DeviceSession.objects.active().filter(pk=world.laptop).exists()


def test_a_doubted_browser_of_somebody_with_a_password_has_no_other_way(somebody):
    world = somebody("password only", "page")
    DeviceSession.objects.filter(user=world.user).update(reauth_required_since=timezone.now())
    page = world.client.get("/devices/confirm/")
    assert "your password is not enough" in page.content.decode()
    assert "other_way" not in page.context


def test_without_another_page_a_doubt_is_ended_by_the_mail(somebody, settings):
    settings.DEVICES = {**settings.DEVICES, "REAUTHENTICATION_URL": None}
    world = somebody("another site only", "page")
    DeviceSession.objects.filter(user=world.user).update(reauth_required_since=timezone.now())
    page = world.client.get("/devices/confirm/")
    assert "follow the link in it" in page.content.decode()
    assert "other_way" not in page.context
