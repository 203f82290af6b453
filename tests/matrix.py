"""What ends sessions, changes a way in or gives rights: by which door, and what proof it takes.

`MATRIX` is the table of docs/security.md: tests/test_matrix.py executes each cell, and compares the two.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client as Browser
from django.utils import timezone

from accounts import recovery
from accounts.models import RecoveryPoint, User
from devices.core import sessions, tokens
from devices.core.clients.client import Client
from devices.models import DeviceSession, NotificationPreferences, RevokeReason
from devices.web import cookie
from tests import authenticator
from tests.client import FIREFOX, PASSWORD, Device

APP = "/_allauth/app/v1"
NEW = "another horse 9 battery"
SECOND = "second@example.org"

# The columns: whether the person has a second factor, and what the session that asks has proved. None: it was
# begun by staff on the person's behalf.
STATES: dict[str, tuple[bool, dict[str, int | None] | None]] = {
    "fresh": (False, {}),
    "stale": (False, {"authenticated_at": 16}),
    "doubted": (False, {"reauth_required_since": 0}),
    "fresh, 2FA": (True, {"mfa_at": 0}),
    "password only, 2FA": (True, {"mfa_at": None}),
    "stale, 2FA": (True, {"authenticated_at": 16, "mfa_at": 16}),
    "doubted, 2FA": (True, {"mfa_at": 0, "reauth_required_since": 0}),
    "impersonated": (False, None),
    "impersonated, 2FA": (True, None),
}


class Site:
    """Alice in an app and in a browser, both in the same state; another device of hers; and Bob."""

    def __init__(self, alice: User, state: str, *, provider: Any, first_password: bool) -> None:
        self.user, self.provider = alice, provider
        has_factor, proved = STATES[state]
        for email in (alice.email, SECOND):
            EmailAddress.objects.create(
                user=alice, email=email, verified=True, primary=email == alice.email
            )
        self.account = SocialAccount.objects.create(user=alice, provider="oidc", uid="hers")
        if first_password:
            alice.set_unusable_password()
        alice.is_staff = alice.is_superuser = True
        alice.save()
        self.bob = User.objects.create_user("bob@example.org", PASSWORD)
        self.other = self._begin(alice)
        self.others = self._begin(self.bob)
        self.page = Browser(HTTP_USER_AGENT=FIREFOX)
        self.page.force_login(alice)
        in_page = DeviceSession.objects.get(pk=self.page.session[cookie.ID])
        in_app = self._begin(alice)
        self.codes = authenticator.enrol(alice) if has_factor else None
        if proved is None:
            own = (in_page, in_app)
            in_page, in_app = self._on_behalf(), self._on_behalf()
            # While hers is active: Django's session would be gone with it.
            browser = self.page.session
            browser[cookie.ID] = str(in_page.pk)
            browser.save()
            for each in own:
                sessions.revoke(each, reason=RevokeReason.ADMIN)
        self.api = Device()
        self.api.hold({**tokens.issue(in_app)._asdict(), "session_id": str(in_app.pk)})
        now = timezone.now()
        times = {
            name: None if minutes is None else now - timedelta(minutes=minutes)
            for name, minutes in (proved or {}).items()
        }
        if times:
            DeviceSession.objects.filter(pk__in=(in_page.pk, in_app.pk)).update(**times)

    def _on_behalf(self) -> DeviceSession:
        """One begun by staff."""
        client = Client("203.0.113.9", FIREFOX)
        return sessions.start_impersonated(self.user, client, by=self.others, note="A ticket")

    @staticmethod
    def _begin(user: User) -> DeviceSession:
        return sessions.start(user, Client("203.0.113.7", FIREFOX))

    def facts(self) -> Any:
        """All that an effect of the table would change."""
        users = User.objects.order_by("pk").values_list("email", "password", "is_superuser")
        factors = Authenticator.objects.order_by("pk")
        return (
            list(users),
            list(EmailAddress.objects.order_by("pk").values_list("email", "primary")),
            list(SocialAccount.objects.order_by("pk").values_list("uid")),
            [(each.pk, each.data.get("seed") or each.data.get("secret")) for each in factors],
            set(DeviceSession.objects.active().values_list("pk")),
            list(NotificationPreferences.objects.values_list("user_id", "new_device")),
        )


class Row(NamedTuple):
    effect: str
    door: str
    act: Callable[[Site], Any]
    # What each state gets, in the order of STATES: "yes", "asks" for a proof, "no" whatever is proved, or "–"
    # where it makes no sense.
    cells: tuple[str, ...]


NEVER = ("yes",) * 9
PROOF = ("yes", "asks", "asks", "yes", "asks", "asks", "asks", "asks", "asks")
# allauth adds no address to an account with a second factor: it could not be proved before it counts.
ADD = ("yes", "asks", "asks", "no", "no", "no", "no", "asks", "no")
WITHOUT = ("yes", "asks", "asks", "–", "–", "–", "–", "asks", "–")
WITH = ("–", "–", "–", "yes", "asks", "asks", "asks", "–", "asks")

# The link proves the mailbox, whatever session it is followed in; the page asks for a factor from before.
BY_MAIL = ("yes", "yes", "yes", "asks", "asks", "asks", "asks", "yes", "asks")


def _enrol_on_page(site: Site) -> Any:
    where = "/accounts/2fa/totp/activate/"
    site.page.get(where)
    secret = site.page.session.get("mfa.totp.secret")
    return site.page.post(where, {"code": authenticator.App(secret, []).code() if secret else "1"})


def _enrol_in_app(site: Site) -> Any:
    where = f"{APP}/account/authenticators/totp"
    secret = site.api.get(where).json().get("meta", {}).get("secret")
    return site.api.post(where, {"code": authenticator.App(secret, []).code() if secret else "1"})


def _connect_on_page(site: Site) -> Any:
    away = site.page.post("/accounts/oidc/oidc/login/?process=connect")
    back = site.provider.consent(away["Location"], site.provider.knows("new", email="n@x.org"))
    return site.page.get(back.partition("testserver")[2])


def _connect_in_app(site: Site) -> Any:
    sub = site.provider.knows("new", email="n@x.org")
    token = {"client_id": "devices", "id_token": site.provider.id_token(sub)}
    body = {"provider": "oidc", "process": "connect", "token": token}
    return site.api.post(f"{APP}/auth/provider/token", body)


def _password(site: Site) -> dict[str, str]:
    return {"current_password": PASSWORD, "new_password": NEW}


def _admin(site: Site, *more: str) -> str:
    return f"/admin/accounts/user/{site.bob.pk}/{'/'.join(more)}"


def _take_back(site: Site) -> Any:
    """By the link in the mail about a way in that was added after all that there is."""
    RecoveryPoint.objects.all().delete()
    recovery.note_added(site.user.pk, site.account)
    link = recovery.url_for(site.user.pk, site.user.email)
    return site.page.post(link.partition("devices.test")[2])


FIRST_PASSWORD = "set a first password"

MATRIX = [
    Row("sign out this device", "API", lambda s: s.api.post("/api/logout"), NEVER),
    Row("sign out this device", "page", lambda s: s.page.post("/accounts/logout/"), NEVER),
    Row("sign out this device", "app", lambda s: s.api.delete(f"{APP}/auth/session"), NEVER),
    Row(
        "sign out another device",
        "API",
        lambda s: s.api.delete(f"/api/sessions/{s.other.pk}"),
        PROOF,
    ),
    Row(
        "sign out another device",
        "page",
        lambda s: s.page.post(f"/devices/{s.other.pk}/sign-out/"),
        PROOF,
    ),
    Row("sign out all others", "API", lambda s: s.api.post("/api/sessions/revoke-all"), PROOF),
    Row("sign out all others", "page", lambda s: s.page.post("/devices/sign-out-others/"), PROOF),
    Row(
        "change the password",
        "API",
        lambda s: s.api.post("/api/me/password", _password(s)),
        PROOF,
    ),
    Row(
        "change the password",
        "page",
        lambda s: s.page.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
        ),
        PROOF,
    ),
    Row(
        "change the password",
        "app",
        lambda s: s.api.post(f"{APP}/account/password/change", _password(s)),
        PROOF,
    ),
    Row(
        FIRST_PASSWORD,
        "page",
        lambda s: s.page.post("/accounts/password/set/", {"password1": NEW, "password2": NEW}),
        PROOF,
    ),
    Row(
        FIRST_PASSWORD,
        "app",
        lambda s: s.api.post(f"{APP}/account/password/change", {"new_password": NEW}),
        PROOF,
    ),
    Row(
        "add an address",
        "page",
        lambda s: s.page.post("/accounts/email/", {"email": "n@example.org", "action_add": ""}),
        ADD,
    ),
    Row(
        "add an address",
        "app",
        lambda s: s.api.post(f"{APP}/account/email", {"email": "n@example.org"}),
        ADD,
    ),
    Row(
        "make an address the primary one",
        "page",
        lambda s: s.page.post("/accounts/email/", {"email": SECOND, "action_primary": ""}),
        PROOF,
    ),
    Row(
        "make an address the primary one",
        "app",
        lambda s: s.api.patch(f"{APP}/account/email", {"email": SECOND, "primary": True}),
        PROOF,
    ),
    Row(
        "remove an address",
        "page",
        lambda s: s.page.post("/accounts/email/", {"email": SECOND, "action_remove": ""}),
        PROOF,
    ),
    Row(
        "remove an address",
        "app",
        lambda s: s.api.delete(f"{APP}/account/email", {"email": SECOND}),
        PROOF,
    ),
    Row("connect another site", "page", _connect_on_page, PROOF),
    Row("connect another site", "app", _connect_in_app, PROOF),
    Row(
        "disconnect another site",
        "page",
        lambda s: s.page.post("/accounts/3rdparty/", {"account": s.account.pk}),
        PROOF,
    ),
    Row(
        "disconnect another site",
        "app",
        lambda s: s.api.delete(f"{APP}/account/providers", {"provider": "oidc", "account": "hers"}),
        PROOF,
    ),
    Row("enrol a second factor", "page", _enrol_on_page, WITHOUT),
    Row("enrol a second factor", "app", _enrol_in_app, WITHOUT),
    Row(
        "remove the second factor",
        "page",
        lambda s: s.page.post("/accounts/2fa/totp/deactivate/"),
        WITH,
    ),
    Row(
        "remove the second factor",
        "app",
        lambda s: s.api.delete(f"{APP}/account/authenticators/totp"),
        WITH,
    ),
    Row(
        "make new recovery codes",
        "page",
        lambda s: s.page.post("/accounts/2fa/recovery-codes/generate/"),
        WITH,
    ),
    Row(
        "make new recovery codes",
        "app",
        lambda s: s.api.post(f"{APP}/account/authenticators/recovery-codes"),
        WITH,
    ),
    Row("take the account back", "mail", _take_back, BY_MAIL),
    Row(
        "switch off a mail",
        "API",
        lambda s: s.api.patch("/api/me/notifications", {"new_device": False}),
        PROOF,
    ),
    Row(
        "switch off a mail",
        "page",
        lambda s: s.page.post("/devices/notifications/", {"suspicious_login": "on"}),
        PROOF,
    ),
    Row(
        "staff: end somebody's sessions",
        "API",
        lambda s: s.api.post(
            "/api/admin/sessions/revoke", {"email": s.bob.email, "reason": "admin"}
        ),
        PROOF,
    ),
    Row(
        "staff: set somebody's password",
        "admin",
        lambda s: s.page.post(
            _admin(s, "password", ""),
            {"usable_password": "true", "password1": NEW, "password2": NEW},
        ),
        PROOF,
    ),
    Row(
        "staff: give somebody rights",
        "admin",
        lambda s: s.page.post(
            _admin(s, "change", ""),
            {
                "email": s.bob.email,
                "is_active": "on",
                "is_superuser": "on",
                "date_joined_0": "2026-01-01",
                "date_joined_1": "00:00:00",
            },
        ),
        PROOF,
    ),
]


def as_markdown() -> list[str]:
    """The rows of the table in the document; doors of one effect with the same answers are one row."""
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for row in MATRIX:
        merged.setdefault((row.effect, row.cells), []).append(row.door)
    return [
        f"| {effect} | {', '.join(doors)} | {' | '.join(cells)} |"
        for (effect, cells), doors in merged.items()
    ]
