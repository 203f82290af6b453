"""Floor 1: the facts. What a session and an activity are, and which sets of them there are."""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, router
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .lookups import Within


class DeviceType(models.TextChoices):
    DESKTOP = "desktop", _("Desktop")
    MOBILE = "mobile", _("Mobile")
    TABLET = "tablet", _("Tablet")
    TV = "tv", _("TV")
    CONSOLE = "console", _("Console")
    APP = "app", _("App")
    CLI = "cli", _("Command line")
    BOT = "bot", _("Bot")
    UNKNOWN = "unknown", _("Unknown")


class RevokeReason(models.TextChoices):
    LOGOUT = "logout", _("Signed out")
    USER = "user", _("Signed out from another device")
    USER_ALL = "user_all", _("Signed out everywhere")
    ADMIN = "admin", _("Revoked by staff")
    LIMIT = "limit", _("Too many sessions")
    SUPERSEDED = "superseded", _("Signed in again on the same device")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    DEACTIVATED = "deactivated", _("Account deactivated")
    REUSE = "reuse", _("Refresh token used twice")
    NOT_ME = "not_me", _("Reported as not me")
    IMPERSONATION = "impersonation", _("Staff acted on your behalf, and left")
    RISK = "risk", _("Too strange to be let in")


class Status(models.TextChoices):
    ACTIVE = "active", _("Active")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")


class RiskLevel(models.TextChoices):
    """How strange a login was, judged by `core.watch.risk`. From MEDIUM on it is suspicious."""

    NONE = "none", _("None")
    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")
    CRITICAL = "critical", _("Critical")


SUSPICIOUS = (RiskLevel.MEDIUM, RiskLevel.HIGH, RiskLevel.CRITICAL)


# Before anything was seen.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


# What a deactivation writes over the stamps of a user's sessions: no password has it, so they stay ended
# although the account may be activated again.
DEACTIVATED = ""


def auth_stamp(password: str) -> str:
    """A mark of the user's password column, 32 hex digits; it changes when the password does.

    It is compared on this server only and never leaves it, in no token and no answer.
    """
    return hashlib.sha256(password.encode()).hexdigest()[:32]


_Model = TypeVar("_Model", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[_Model]):
    """Reads where it writes: a replica may not know yet what has begun or ended."""

    # Django's own, of which its stubs do not know.
    _db: str | None
    _hints: dict[str, Any]

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)


class DeviceSessionQuerySet(PrimaryQuerySet["DeviceSession"]):
    def active(self, now: datetime | None = None) -> Self:
        return self.filter(revoked_at__isnull=True, expires_at__gt=now or timezone.now())

    def revoked(self) -> Self:
        return self.filter(revoked_at__isnull=False)

    def expired(self, now: datetime | None = None) -> Self:
        return self.filter(revoked_at__isnull=True, expires_at__lte=now or timezone.now())

    def ended_lately(self, now: datetime | None = None) -> Self:
        """Those that ended in the last 30 days, the newest end first."""
        now = now or timezone.now()
        ended = self.annotate(ended=Coalesce("revoked_at", "expires_at"))
        return ended.filter(ended__gt=now - timedelta(days=30), ended__lte=now).order_by("-ended")

    def suspicious(self) -> Self:
        """Those whose login was strange, whether or not the owner has said since that it was theirs."""
        return self.filter(risk_level__in=SUSPICIOUS)

    def waiting(self) -> Self:
        """Suspicious and active ones of which the owner has said neither yes nor no."""
        return self.suspicious().active().filter(reviewed_at__isnull=True)

    def within(self, network: IPv4Network | IPv6Network) -> Self:
        """Those that began at an address of this network."""
        return self.filter(Within(F("ip_address"), network))

    def of(self, user: AbstractBaseUser) -> Self:
        """The user's sessions that began under the password the user has now."""
        return self.filter(user_id=user.pk, auth_stamp=auth_stamp(user.password))


class DeviceSession(models.Model):
    """One login on one device. Written by `core.sessions` alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is `devices_history`, which begins with the user.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="device_sessions",
        db_index=False,
    )
    name = models.CharField(max_length=64, blank=True)

    device = models.CharField(max_length=64)
    device_type = models.CharField(max_length=16, choices=DeviceType, default=DeviceType.UNKNOWN)
    browser = models.CharField(max_length=32, blank=True)
    os = models.CharField(max_length=32, blank=True)
    user_agent = models.CharField(max_length=512, blank=True)
    device_key = models.CharField(max_length=64, blank=True)

    ip_address = models.GenericIPAddressField(null=True, blank=True)
    last_ip = models.GenericIPAddressField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True)
    city = models.CharField(max_length=128, blank=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)

    login_method = models.CharField(max_length=32, default="password")
    authenticated_at = models.DateTimeField()
    mfa_at = models.DateTimeField(null=True, blank=True)

    # How strange the login was: 0-100, and its level. The reasons are in the log, as `login.suspicious`.
    risk_score = models.PositiveSmallIntegerField(default=0)
    risk_level = models.CharField(max_length=8, choices=RiskLevel, default=RiskLevel.NONE)
    # When the owner said whether it was them.
    reviewed_at = models.DateTimeField(null=True, blank=True)
    # What was found unusual about who uses it, and told: countries and kinds of device, a line for each.
    unusual_uses = models.CharField(max_length=255, blank=True)
    # Since when it takes another proof before sensitive steps, however fresh the last one is.
    doubted_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    last_active = models.DateTimeField()
    expires_at = models.DateTimeField()
    absolute_expires_at = models.DateTimeField()

    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=32, choices=RevokeReason, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )

    # Who signed in on the user's behalf, if somebody did, and in which session of their own: this one ends
    # with that. It proves nothing of the user (`core.stepup`), and nothing is learned from it.
    impersonator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    impersonator_session_id = models.UUIDField(null=True, blank=True, editable=False)

    # Addresses seen before this are shortened, and what came with them is dropped (`core.forget`); None: all
    # of them. One seen at `created_at` or `last_active` is whole if that is not before it.
    precise_since = models.DateTimeField(null=True, blank=True, default=EVER)

    auth_stamp = models.CharField(max_length=32, blank=True)
    generation = models.PositiveIntegerField(default=0)
    generation_used = models.PositiveIntegerField(default=0)
    rotated_at = models.DateTimeField()

    objects = DeviceSessionQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("device session")
        verbose_name_plural = _("device sessions")
        permissions = [("revoke_devicesession", _("Can revoke device sessions"))]
        # `last_active` and `last_ip` are in none of them: a touch is a heap-only update in PostgreSQL.
        indexes = [
            models.Index("user", F("created_at").desc(), F("id").desc(), name="devices_history"),
            models.Index("user", condition=Q(revoked_at__isnull=True), name="devices_unrevoked"),
            models.Index(
                "expires_at", condition=Q(revoked_at__isnull=True), name="devices_expiring"
            ),
            models.Index(
                "revoked_at", condition=Q(revoked_at__isnull=False), name="devices_revoked"
            ),
            models.Index(
                "revoked_by", condition=Q(revoked_by__isnull=False), name="devices_revoked_by"
            ),
            models.Index(
                "impersonator",
                condition=Q(impersonator__isnull=False),
                name="devices_impersonator",
            ),
            models.Index(F("created_at").desc(), F("id").desc(), name="devices_newest"),
            models.Index("ip_address", name="devices_address"),
            models.Index(
                "precise_since", condition=Q(precise_since__isnull=False), name="devices_precise"
            ),
            # What staff filter by. A frequent value is soon found among the newest, a rare one only by these.
            models.Index("device_type", name="devices_type"),
            models.Index("os", name="devices_os"),
            models.Index("browser", name="devices_browser"),
            models.Index("country", name="devices_country"),
            models.Index(
                "login_method", condition=~Q(login_method="password"), name="devices_method"
            ),
            models.Index(
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(risk_level__in=("medium", "high", "critical")),
                name="devices_suspicious",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="devices_device_type", condition=Q(device_type__in=DeviceType.values)
            ),
            models.CheckConstraint(
                name="devices_revoked_with_reason",
                condition=Q(revoked_at__isnull=True, revoke_reason="")
                | Q(revoked_at__isnull=False, revoke_reason__in=RevokeReason.values),
            ),
            models.CheckConstraint(
                name="devices_within_absolute_limit",
                condition=Q(expires_at__lte=F("absolute_expires_at")),
            ),
            models.CheckConstraint(
                name="devices_generation_used", condition=Q(generation_used__lte=F("generation"))
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.device

    @property
    def status(self) -> Status:
        if self.revoked_at is not None:
            return Status.REVOKED
        return Status.ACTIVE if self.expires_at > timezone.now() else Status.EXPIRED

    @property
    def ended_at(self) -> datetime | None:
        """When it was revoked or ran out; None while it is active."""
        if self.revoked_at is not None:
            return self.revoked_at
        return None if self.status is Status.ACTIVE else self.expires_at

    @property
    def is_impersonated(self) -> bool:
        """Whether somebody else is signed in here, on the user's behalf."""
        return self.impersonator_session_id is not None

    @property
    def is_mobile(self) -> bool:
        """Whether this is a phone. A tablet is none: people look for the one or for the other."""
        return self.device_type == DeviceType.MOBILE

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # A whole-row save of a copy read earlier would write its old `revoked_at` back.
        if not self._state.adding and update_fields is None:
            raise TypeError(
                "A DeviceSession is changed through devices.core.sessions; "
                "save() of an existing one needs update_fields."
            )
        super().save(*args, update_fields=update_fields, **kwargs)


class Activity(models.Model):
    """Something that happened in a session. Written by `core.log.activity` alone, never changed."""

    # Without a constraint: the log is kept when the session goes, with the id it had.
    session = models.ForeignKey(
        DeviceSession,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="activities",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=64)
    at = models.DateTimeField()
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    data = models.JSONField(default=dict)
    # Who did it, if not the user; `by` in the data. To be found by when they are erased.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    # Whether an address or the like stands in it that has to be shortened one day.
    is_precise = models.BooleanField(default=True, editable=False)

    objects = PrimaryQuerySet["Activity"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        indexes = [
            models.Index("session", F("at").desc(), F("id").desc(), name="devices_act_session"),
            models.Index("user", F("at").desc(), name="devices_act_user"),
            models.Index("actor", condition=Q(actor__isnull=False), name="devices_act_actor"),
            models.Index(F("at").desc(), F("id").desc(), name="devices_act_newest"),
            models.Index("at", condition=Q(is_precise=True), name="devices_act_precise"),
        ]

    def __str__(self) -> str:
        return self.kind


class LoginLimit(models.Model):
    """How often a password was tried of late, for one account or from one address.

    Written by `core.proof.attempts` alone. `key` is a digest: what people type into a login form is not kept.
    """

    key = models.CharField(primary_key=True, max_length=64)
    # Within the window: attempts that failed, and attempts whose outcome is not known (yet).
    failures = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    window_ends = models.DateTimeField(db_index=True)
    # Failures since the last success, over all windows; and those before it.
    consecutive = models.PositiveIntegerField(default=0)
    before_success = models.PositiveIntegerField(default=0)

    objects = PrimaryQuerySet["LoginLimit"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("login limit")
        verbose_name_plural = _("login limits")

    def __str__(self) -> str:
        return self.key


class Tally(models.Model):
    """How many things of a kind happened in an hour. Written by `core.log.tally` alone."""

    hour = models.DateTimeField()
    kind = models.CharField(max_length=32)
    # Of the rows that one hour and kind have; they are added up.
    shard = models.PositiveSmallIntegerField()
    count = models.PositiveIntegerField(default=0)

    objects = PrimaryQuerySet["Tally"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        constraints = [
            models.UniqueConstraint("hour", "kind", "shard", name="devices_tally_of_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.hour:%Y-%m-%d %H}:00"


class Figures(models.Model):
    """What staff see of all sessions at a glance. One row, written by `core.oversight.figures` alone."""

    data = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True, blank=True)
    # Of the last attempt, which may have been given up.
    begun_at = models.DateTimeField(null=True, blank=True)
    took = models.FloatField(default=0)

    objects = PrimaryQuerySet["Figures"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("figures")
        verbose_name_plural = _("figures")

    def __str__(self) -> str:
        return f"{self.counted_at}"


class LoginPast(models.Model):
    """What is remembered of a user's logins, to tell a strange one. Written by `core.watch.past` alone.

    One compact row, so that a login reads it at one go; it outlives the sessions and holds no address.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices_past"
    )
    data = models.JSONField(default=dict)
    # The last login that was learned from.
    seen_at = models.DateTimeField(db_index=True)

    objects = PrimaryQuerySet["LoginPast"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("past of logins")
        verbose_name_plural = _("pasts of logins")

    def __str__(self) -> str:
        return str(self.user_id)


class NoticeKind(models.TextChoices):
    NEW_DEVICE = "new_device", _("Sign-in on a new device")
    SUSPICIOUS_LOGIN = "suspicious_login", _("Suspicious sign-in")
    REFRESH_REUSED = "refresh_reused", _("Copied session")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    SESSION_APPROVED = "session_approved", _("Sign-in approved")
    ADDRESS_CHANGED = "address_changed", _("Email address changed")
    NOTICES_OFF = "notices_off", _("Mails switched off")
    STAFF_CHANGED = "staff_changed", _("Way to sign in changed by staff")


class NoticeOutcome(models.TextChoices):
    SENT = "sent", _("Sent")
    UNWANTED = "unwanted", _("Not wanted")
    NO_ADDRESS = "no_address", _("No address")
    GIVEN_UP = "given_up", _("Given up")


class Notice(models.Model):
    """A mail that has to be sent. Written by `core.watch` alone, in the transaction of what it tells of."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=True
    )
    # Of a session that may be deleted before.
    session_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=32, choices=NoticeKind)
    # The account's when this was written. Who changes it afterwards does not get the mail.
    address = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    language = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    # From when on a worker may take it. Whoever does moves it on: the time until which it is theirs.
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=NoticeOutcome, blank=True)

    objects = PrimaryQuerySet["Notice"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes = [
            models.Index("due_at", condition=Q(done_at__isnull=True), name="devices_notices_due"),
            models.Index(
                "done_at", condition=Q(done_at__isnull=False), name="devices_notices_done"
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class NoticePreferences(models.Model):
    """Which mails a user does without. What is critical cannot be switched off. Written by `core.watch`."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    new_device = models.BooleanField(_("a new device"), default=True)
    suspicious_login = models.BooleanField(_("a sign-in that is somewhat strange"), default=True)

    objects = PrimaryQuerySet["NoticePreferences"].as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("preferences of notices")
        verbose_name_plural = _("preferences of notices")

    def __str__(self) -> str:
        return str(self.user_id)
