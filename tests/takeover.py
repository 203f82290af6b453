"""A game: a stranger who has one thing of somebody's tries every sequence of verbs, and what it reaches.

`STARTS` times `with a second factor or without`; `play` walks breadth first, over HTTP, each state once. Two
sequences are one state if the database is the same for all that counts and the stranger holds the same.

Whatever the stranger has reached, the owner has one move: the link in the mails to their old address. It is
lost on the owner only where the stranger reads that mailbox, and so deletes the mails.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.test import Client as Browser

from accounts import recovery
from accounts.models import RecoveryPoint, User
from devices.core.notifications import outbox, review_links
from devices.models import DeviceSession, LoginThrottle, Notification, NotificationPreferences
from tests import authenticator
from tests.client import CHROME, IPHONE, PASSWORD, Device

APP = "/_allauth/app/v1"
OWN = "stranger@example.org"
# Where the owner is: a place that is known for certain.
HOME = "141.20.1.1"
# Elsewhere: another country, and another kind of device.
FROM = "196.25.1.1"
# Or in a content network, whose country says nothing of who comes out of it, as with a relay or VPN.
HIDDEN = "2.16.0.1"
# Or nearby, on a device as the owner has it: nothing is unusual about it.
NEAR = "141.20.1.9"
NEW = "a password of strangers 7"

# What a stranger can reach, from nothing to everything.
REACHES = (
    "a session",
    "others ended",
    "another password",
    "a sign-in method of their own",
    "for good",
)
FOR_GOOD = REACHES[-1]


class Held(NamedTuple):
    """What the stranger has in hand."""

    access: str = ""
    cookie: str = ""
    password: str = ""
    mailbox: bool = False
    agent: str = IPHONE
    address: str = FROM


class World:
    """Alice, who signed in on a laptop an hour ago; and a stranger."""

    def __init__(self, clock: Any, *, factor: bool) -> None:
        self.clock = clock
        self.alice = User.objects.create_superuser("alice@example.org", PASSWORD)
        EmailAddress.objects.create(
            user=self.alice, email=self.alice.email, verified=True, primary=True
        )
        self.laptop = Device(CHROME, HOME).sign_in(self.alice.email)
        self.browser = Browser(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=HOME)
        form = {"login": self.alice.email, "password": PASSWORD}
        self.browser.post("/accounts/login/", form)
        if factor:
            authenticator.enrol(self.alice)
            # More than a week ago: what the owner enrolled lately, their mailbox can remove.
            RecoveryPoint.objects.all().delete()
            Notification.objects.all().delete()
        self.factors = set(Authenticator.objects.values_list("pk", flat=True))
        self.mine = set(DeviceSession.objects.values_list("pk", flat=True))
        clock.shift(3600)

    def reached(self, held: Held) -> frozenset[str]:
        reached = self._facts()
        if FOR_GOOD in reached and not held.mailbox and self._comes_back():
            return reached - {FOR_GOOD}
        return reached

    def _comes_back(self) -> bool:
        """Whether the owner takes the account back by a link in a mail to their old address."""
        with undone():
            mail.outbox.clear()
            outbox.send_due()
            mine = [message.body for message in mail.outbox if message.to == [self.alice.email]]
            links = re.findall(r"https://devices\.test(/accounts/recover/\S+)", "\n".join(mine))
            for link in links[-1:]:
                Browser(REMOTE_ADDR=HOME).post(link)
            alice = User.objects.get(pk=self.alice.pk)
            addresses = EmailAddress.objects.filter(user=alice)
            return (
                self._facts().isdisjoint({"a session", "a sign-in method of their own", FOR_GOOD})
                and [each.email for each in addresses] == [self.alice.email]
                and not alice.has_usable_password()
            )

    def _facts(self) -> frozenset[str]:
        alice = User.objects.get(pk=self.alice.pk)
        active = set(DeviceSession.objects.for_user(alice).active().values_list("pk", flat=True))
        factors = set(Authenticator.objects.filter(user=alice).values_list("pk", flat=True))
        addresses = EmailAddress.objects.filter(user=alice, verified=True)
        old = alice.email == self.alice.email and addresses.filter(email=alice.email).exists()
        foreign = bool(factors - self.factors) or addresses.exclude(email=self.alice.email).exists()
        # By a new password alone, mailed to her old address, Alice does not come back from the last.
        facts = (
            bool(active - self.mine),
            not self.mine <= active,
            alice.password != self.alice.password,
            foreign,
            not old or bool(factors - self.factors) or not self.factors <= factors,
        )
        return frozenset(name for name, is_so in zip(REACHES, facts, strict=True) if is_so)

    def state(self, held: Held) -> Any:
        sessions = DeviceSession.objects.order_by("pk").values_list(
            "pk", "revoked_at", "reauth_required_since", "authenticated_at", "mfa_at"
        )
        return (
            self.reached(held),
            held._replace(access=held.access and "one"),
            EmailAddress.objects.filter(user=self.alice).count(),
            sum(1 for each in sessions if each[1] is None),
            sum(1 for each in sessions if each[1] is None and each[2] is not None),
            NotificationPreferences.objects.exists(),
            frozenset(
                (each.email, each.closed_at is None, each.was_used)
                for each in RecoveryPoint.objects.all()
            ),
        )


Verb = Callable[[World, Held], Held | None]


def _device(held: Held) -> Device:
    device = Device(held.agent, held.address)
    if held.access:
        device.hold({"access": held.access, "refresh": "x"})
    return device


def _browser(held: Held) -> Browser:
    browser = Browser(HTTP_USER_AGENT=held.agent, REMOTE_ADDR=held.address)
    if held.cookie:
        browser.cookies[settings.SESSION_COOKIE_NAME] = held.cookie
    return browser


def sign_in(world: World, held: Held) -> Held | None:
    answer = _device(held._replace(access="")).post(
        "/api/login", {"email": world.alice.email, "password": held.password}
    )
    if answer.status_code != 200:
        return None
    return held._replace(access=answer.json()["access_token"])


def confirm(world: World, held: Held) -> Held:
    body = {"password": held.password or "guess"}
    _device(held).post("/api/sessions/current/confirm", body)
    _browser(held).post("/devices/confirm/", body)
    return held


def sign_others_out(world: World, held: Held) -> Held:
    _device(held).post("/api/sessions/revoke-all")
    _browser(held).post("/devices/sign-out-others/")
    return held


def change_password(world: World, held: Held) -> Held:
    body = {"current_password": held.password or "guess", "new_password": NEW}
    done = [_device(held).post("/api/me/password", body).status_code == 204]
    done.append(_device(held).post(f"{APP}/account/password/change", body).status_code == 200)
    form = {"oldpassword": held.password or "guess", "password1": NEW, "password2": NEW}
    _browser(held).post("/accounts/password/change/", form)
    return held._replace(password=NEW) if any(done) else held


def add_address(world: World, held: Held) -> Held:
    _device(held).post(f"{APP}/account/email", {"email": OWN})
    _browser(held).post("/accounts/email/", {"email": OWN, "action_add": ""})
    return held


def prove_address(world: World, held: Held) -> Held:
    """By the link in a mail to the stranger's own mailbox."""
    if own := EmailAddress.objects.filter(email=OWN).first():
        key = EmailConfirmationHMAC(own).key
        _device(held).post(f"{APP}/auth/email/verify", {"key": key})
        _browser(held).post(f"/accounts/confirm-email/{key}/", {"password": held.password})
    return held


def take_address(world: World, held: Held) -> Held:
    """Make it the primary one, and take the old one away."""
    _device(held).patch(f"{APP}/account/email", {"email": OWN, "primary": True})
    _device(held).delete(f"{APP}/account/email", {"email": world.alice.email})
    browser = _browser(held)
    browser.post("/accounts/email/", {"email": OWN, "action_primary": ""})
    browser.post("/accounts/email/", {"email": world.alice.email, "action_remove": ""})
    return held


def enrol(world: World, held: Held) -> Held:
    where = f"{APP}/account/authenticators/totp"
    device, browser = _device(held), _browser(held)
    secret = device.get(where).json().get("meta", {}).get("secret")
    if secret:
        device.post(where, {"code": authenticator.App(secret, []).code()})
    browser.get("/accounts/2fa/totp/activate/")
    if secret := browser.session.get("mfa.totp.secret"):
        code = authenticator.App(secret, []).code()
        browser.post("/accounts/2fa/totp/activate/", {"code": code})
    return held


def drop_factor(world: World, held: Held) -> Held:
    _device(held).delete(f"{APP}/account/authenticators/totp")
    _browser(held).post("/accounts/2fa/totp/deactivate/")
    return held


def approve(world: World, held: Held) -> Held:
    """Answer for the sessions of the stranger: by the page, and by the link where the mailbox is at hand."""
    theirs = DeviceSession.objects.filter(user=world.alice).exclude(pk__in=world.mine)
    for pk in theirs.values_list("pk", flat=True):
        _browser(held).post(f"/devices/{pk}/review/", {"answer": "yes"})
        if held.mailbox:
            link = f"/devices/review/?token={review_links.token_of(pk)}"
            Browser().post(link, {"answer": "yes"})
    return held


def disown(world: World, held: Held) -> Held:
    """Say of the owner's sessions that they are a stranger's."""
    for pk in world.mine:
        _browser(held).post(f"/devices/{pk}/review/", {"answer": "no"})
    return held


def switch_mails_off(world: World, held: Held) -> Held:
    _device(held).patch("/api/me/notifications", {"new_device": False, "suspicious_login": False})
    _browser(held).post("/devices/notifications/", {})
    return held


def reset(world: World, held: Held) -> Held | None:
    """By a link in a mail to the owner."""
    if not held.mailbox:
        return None
    user = User.objects.get(pk=world.alice.pk)
    keys = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    browser = Browser()
    form = browser.get(f"/accounts/password/reset/key/{keys}/", follow=True)
    if form.redirect_chain:
        where = form.redirect_chain[-1][0]
        browser.post(where, {"password1": NEW, "password2": NEW})
        return held._replace(password=NEW)
    return None


def take_back(world: World, held: Held) -> Held:
    """By a link in a mail to the stranger's own address, or to the owner's where the mailbox is at hand."""
    for email in (OWN, *([world.alice.email] if held.mailbox else [])):
        if link := recovery.url_for(world.alice.pk, email):
            where = link.partition("devices.test")[2]
            Browser(REMOTE_ADDR=FROM).post(where, {"code": "000000"})
    return held


def staff_password(world: World, held: Held) -> Held:
    form = {"usable_password": "true", "password1": NEW, "password2": NEW}
    where = f"/admin/accounts/user/{world.alice.pk}"
    _browser(held).post(f"{where}/password/", form)
    changed = not User.objects.get(pk=world.alice.pk).check_password(PASSWORD)
    return held._replace(password=NEW) if changed else held


def staff_email(world: World, held: Held) -> Held:
    browser, alice = _browser(held), world.alice
    day = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    form = {"email": OWN, "is_active": "on", **day}
    browser.post(f"/admin/accounts/user/{alice.pk}/change/", form)
    address = EmailAddress.objects.filter(user=alice).first()
    form = {"user": alice.pk, "email": OWN, "verified": "on", "primary": "on"}
    browser.post("/admin/account/emailaddress/add/", form)
    if address:
        browser.post(f"/admin/account/emailaddress/{address.pk}/change/", form)
        browser.post(f"/admin/account/emailaddress/{address.pk}/delete/", {"post": "yes"})
    return held


def staff_factor(world: World, held: Held) -> Held:
    for factor in Authenticator.objects.filter(user=world.alice):
        _browser(held).post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    return held


def staff_revoke(world: World, held: Held) -> Held:
    body = {"email": world.alice.email, "reason": "admin"}
    _device(held).post("/api/admin/sessions/revoke", body)
    ids = [str(pk) for pk in world.mine]
    form = {"action": "revoke_sessions", "_selected_action": ids, "confirm": "yes"}
    _browser(held).post("/admin/devices/devicesession/", form)
    return held


VERBS: list[Verb] = [
    sign_in,
    confirm,
    sign_others_out,
    change_password,
    add_address,
    prove_address,
    take_address,
    enrol,
    drop_factor,
    approve,
    disown,
    switch_mails_off,
    reset,
    take_back,
]
STAFF_VERBS: list[Verb] = [sign_in, staff_password, staff_email, staff_factor, staff_revoke]

PERMISSIONS = (
    "change_user",
    "change_emailaddress",
    "add_emailaddress",
    "delete_authenticator",
    "revoke_devicesession",
)


def with_password(world: World) -> Held:
    return Held(password=PASSWORD)


def with_password_nearby(world: World) -> Held:
    return Held(password=PASSWORD, agent=CHROME, address=NEAR)


def with_password_hidden(world: World) -> Held:
    return Held(password=PASSWORD, address=HIDDEN)


def with_refresh_token(world: World) -> Held:
    answer = Device(IPHONE, FROM).refresh(world.laptop.refresh_token)
    return Held(access=answer.json().get("access", ""))


def with_cookie(world: World) -> Held:
    held = Held(cookie=world.browser.cookies[settings.SESSION_COOKIE_NAME].value)
    assert _browser(held).get("/devices/").status_code == 200
    return held


def with_mailbox(world: World) -> Held:
    return Held(mailbox=True)


def as_staff(permission: str) -> Callable[[World], Held]:
    def begin(world: World) -> Held:
        staff = User.objects.create_user("staff@example.org", PASSWORD, is_staff=True)
        staff.user_permissions.add(*Permission.objects.filter(codename=permission))
        browser = Browser(HTTP_USER_AGENT=IPHONE, REMOTE_ADDR=FROM)
        browser.post("/accounts/login/", {"login": staff.email, "password": PASSWORD})
        access = Device(IPHONE, FROM).sign_in(staff.email).access
        assert browser.get("/admin/").status_code == 200
        return Held(access=access, cookie=browser.cookies[settings.SESSION_COOKIE_NAME].value)

    return begin


class Start(NamedTuple):
    has: str
    begin: Callable[[World], Held]
    verbs: list[Verb]


STARTS = [
    Start("the password", with_password, VERBS),
    Start("the password, and is near the owner", with_password_nearby, VERBS),
    Start("the password, and comes through a relay", with_password_hidden, VERBS),
    Start("a refresh token", with_refresh_token, VERBS),
    Start("a cookie", with_cookie, VERBS),
    Start("the mailbox", with_mailbox, VERBS),
    *(Start(f"staff with `{name}`", as_staff(name), STAFF_VERBS) for name in PERMISSIONS),
]


@contextmanager
def undone() -> Iterator[None]:
    """What happens within is undone."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def play(world: World, start: Start, depth: int) -> tuple[frozenset[str], list[list[str]]]:
    """All that is reached by at most so many verbs; and the sequences that reach something new."""
    seen: set[Any] = set()
    reached: frozenset[str] = frozenset()
    ways: list[list[str]] = []

    def step(held: Held, path: list[str]) -> None:
        nonlocal reached
        new = world.reached(held) - reached
        if new:
            reached |= new
            ways.append([*path, "→ " + ", ".join(sorted(new))])
        state = (depth - len(path), world.state(held))
        if state in seen or len(path) == depth:
            return
        seen.add(state)
        for verb in start.verbs:
            with undone():
                # Limits are another game: tests/test_login_throttling.py.
                LoginThrottle.objects.all().delete()
                cache.clear()
                # Of two changes one is the earlier.
                world.clock.shift(0.001)
                after = verb(world, held)
                if after is not None:
                    step(after, [*path, verb.__name__])

    with undone():
        step(start.begin(world), [])
    return reached, ways
