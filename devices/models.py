"""Layer 1: the facts. What a session and an activity are, and which sets of them there are."""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, router
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .conf import conf
from .lookups import Within


class DeviceType(models.TextChoices):
    """The types of devices."""

    DESKTOP = "desktop", _("Desktop")
    MOBILE = "mobile", _("Mobile")
    TABLET = "tablet", _("Tablet")
    TV = "tv", _("TV")
    CONSOLE = "console", _("Console")
    APP = "app", _("App")
    CLI = "cli", _("Command line")
    BOT = "bot", _("Bot")
    UNKNOWN = "unknown", _("Unknown")


class Binding(models.TextChoices):
    """By which protocol a session is bound to a key that never leaves its device."""

    NONE = "none", _("Not bound")
    DPOP = "dpop", _("DPoP")
    DBSC = "dbsc", _("DBSC")


class RevokeReason(models.TextChoices):
    """Why a session was ended."""

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
    RISK = "risk", _("Refused as too unusual")
    PROVIDER = "provider", _("Signed out by the site you signed in with")


class Status(models.TextChoices):
    """Whether a session is active, revoked or expired."""

    ACTIVE = "active", _("Active")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")


class RiskLevel(models.TextChoices):
    """How unusual a login was, judged by `core.risk.rules`. From MEDIUM on it is suspicious."""

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


def password_stamp(password: str | None) -> str:
    """A mark of the user's password column, 32 hex digits; it changes when the password does.

    It is compared on this server only and never leaves it, in no token and no answer. A user model may have
    no such column, or nothing in it.
    """
    return hashlib.sha256((password or "").encode()).hexdigest()[:32]


_Model = TypeVar("_Model", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[_Model]):
    """Reads where it writes: a replica may not know yet what has begun or ended."""

    # Django's own, missing in its stubs.
    _db: str | None
    _hints: dict[str, Any]

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)


class PrimaryModel(models.Model):
    """A table that is read where it is written."""

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def __str__(self) -> str:
        return str(self.pk)


class DeviceSessionQuerySet(PrimaryQuerySet["DeviceSession"]):
    """Sessions, selected by state, user or risk."""

    def active(self, now: datetime | None = None) -> Self:
        """Select sessions that are neither revoked nor expired."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=now or timezone.now())

    def revoked(self) -> Self:
        """Select sessions that were ended."""
        return self.filter(revoked_at__isnull=False)

    def expired(self, now: datetime | None = None) -> Self:
        """Select sessions that reached a limit without being ended."""
        return self.filter(revoked_at__isnull=True, expires_at__lte=now or timezone.now())

    def ended_lately(self, now: datetime | None = None) -> Self:
        """Those that ended in the last 30 days, the newest end first."""
        now = now or timezone.now()
        ended = self.annotate(ended=Coalesce("revoked_at", "expires_at"))
        return ended.filter(ended__gt=now - timedelta(days=30), ended__lte=now).order_by("-ended")

    def suspicious(self) -> Self:
        """Those whose login was unusual, whether or not the owner has said since that it was theirs."""
        return self.filter(risk_level__in=SUSPICIOUS)

    def pending_review(self) -> Self:
        """Select suspicious active sessions whose owner has not answered yet."""
        return self.suspicious().active().filter(reviewed_at__isnull=True)

    def within(self, network: IPv4Network | IPv6Network) -> Self:
        """Those that began at an address of this network."""
        return self.filter(Within(F("ip_address"), network))

    def for_user(self, user: AbstractBaseUser) -> Self:
        """The user's sessions that began under the password the user has now."""
        return self.filter(user_id=user.pk, password_stamp=password_stamp(user.password))


def _who_acted() -> models.ForeignKey[Any, Any]:
    """A user who did something to somebody else, and who may be deleted before it is forgotten."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )


class DeviceSession(PrimaryModel):
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
    # The network carries the traffic of people elsewhere: the country is the network's, not theirs.
    is_place_uncertain = models.BooleanField(default=False)
    # Of the network that it began in; None without ASN_DATABASE. A number has 32 bits.
    asn = models.BigIntegerField(null=True, blank=True)

    login_method = models.CharField(max_length=32, default="password")
    # A digest of the `sid` of the session at the identity provider that it began with (contrib.providers).
    provider_sid = models.CharField(max_length=64, blank=True)
    authenticated_at = models.DateTimeField()
    mfa_at = models.DateTimeField(null=True, blank=True)

    # The key that the device proves to hold: its thumbprint (RFC 7638), and the public key itself where the
    # protocol does not send it along with each proof (DBSC). Neither is a secret.
    binding = models.CharField(max_length=8, choices=Binding, default=Binding.NONE)
    binding_key = models.CharField(max_length=64, blank=True)
    binding_jwk = models.JSONField(null=True, blank=True)
    # When its owner was last told of a request with a wrong proof, or with none.
    binding_failed_at = models.DateTimeField(null=True, blank=True)
    # How often its browser has proved the key again (DBSC), and when it last did, if it ever had one. Apart
    # from `generation`: a session may have a bound cookie and a refresh token, each renewed at its own pace.
    binding_proofs = models.PositiveIntegerField(default=0)
    binding_proved_at = models.DateTimeField(null=True, blank=True)

    # How unusual the login was: 0-100, and its level. The reasons are in the log, as `login.suspicious`.
    risk_score = models.PositiveSmallIntegerField(default=0)
    risk_level = models.CharField(max_length=8, choices=RiskLevel, default=RiskLevel.NONE)
    # When the owner said whether it was them.
    reviewed_at = models.DateTimeField(null=True, blank=True)
    # What was found unusual about who uses it, and told: countries and kinds of device, a line for each.
    unusual_uses = models.CharField(max_length=255, blank=True)
    # Since when it takes another proof before sensitive steps, however fresh the last one is.
    reauth_required_since = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    last_active = models.DateTimeField()
    expires_at = models.DateTimeField()
    absolute_expires_at = models.DateTimeField()

    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=32, choices=RevokeReason, blank=True)
    revoked_by = _who_acted()

    # Who signed in on the user's behalf, if somebody did, and in which session of their own: this one ends
    # with that. It never counts as a confirmation (`core.step_up`), nor for the login history.
    impersonator = _who_acted()
    impersonator_session_id = models.UUIDField(null=True, blank=True, editable=False)

    # Addresses seen before this are shortened, and what came with them is dropped (core.retention); None: all
    # of them. One seen at `created_at` or `last_active` is whole if that is not before it.
    pii_since = models.DateTimeField(null=True, blank=True, default=EVER)

    password_stamp = models.CharField(max_length=32, blank=True)
    generation = models.PositiveIntegerField(default=0)
    generation_used = models.PositiveIntegerField(default=0)
    rotated_at = models.DateTimeField()

    objects = DeviceSessionQuerySet.as_manager()  # type: ignore[misc]

    class Meta(PrimaryModel.Meta):
        verbose_name = _("device session")
        verbose_name_plural = _("device sessions")
        permissions = [("revoke_devicesession", _("Can revoke device sessions"))]
        # `last_active` is in none: a touch at the same address is a heap-only update in PostgreSQL.
        indexes = [
            Index("user", F("created_at").desc(), F("id").desc(), name="devices_history"),
            Index("user", condition=Q(revoked_at__isnull=True), name="devices_unrevoked"),
            Index("expires_at", condition=Q(revoked_at__isnull=True), name="devices_expiring"),
            Index("revoked_at", condition=Q(revoked_at__isnull=False), name="devices_revoked"),
            Index("revoked_by", condition=Q(revoked_by__isnull=False), name="devices_revoked_by"),
            Index(
                "impersonator",
                condition=Q(impersonator__isnull=False),
                name="devices_impersonator",
            ),
            Index(F("created_at").desc(), F("id").desc(), name="devices_newest"),
            Index("ip_address", name="devices_address"),
            Index("last_ip", name="devices_last_address"),
            Index(F("asn"), condition=Q(asn__isnull=False), name="devices_asn"),
            Index("pii_since", condition=Q(pii_since__isnull=False), name="devices_pii"),
            # What staff filter by. A frequent value is soon found among the newest, a rare one only by these.
            Index("device_type", name="devices_type"),
            Index("os", name="devices_os"),
            Index("browser", name="devices_browser"),
            Index("country", name="devices_country"),
            Index("login_method", condition=~Q(login_method="password"), name="devices_method"),
            Index("provider_sid", condition=~Q(provider_sid=""), name="devices_provider_sid"),
            Index("binding", condition=~Q(binding="none"), name="devices_binding"),
            Index(
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(risk_level__in=("medium", "high", "critical")),
                name="devices_suspicious",
            ),
        ]
        constraints = [
            CheckConstraint(
                name="devices_device_type", condition=Q(device_type__in=DeviceType.values)
            ),
            CheckConstraint(
                name="devices_bound_to_a_key",
                condition=Q(binding=Binding.NONE, binding_key="")
                | (Q(binding__in=(Binding.DPOP, Binding.DBSC)) & ~Q(binding_key="")),
            ),
            CheckConstraint(
                name="devices_revoked_with_reason",
                condition=Q(revoked_at__isnull=True, revoke_reason="")
                | Q(revoked_at__isnull=False, revoke_reason__in=RevokeReason.values),
            ),
            CheckConstraint(
                name="devices_within_absolute_limit",
                condition=Q(expires_at__lte=F("absolute_expires_at")),
            ),
            CheckConstraint(
                name="devices_generation_used", condition=Q(generation_used__lte=F("generation"))
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.device

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Self] | None = None,
    ) -> None:
        """As Model.refresh_from_db, also of columns that were left out; on Citus by the user, too."""
        if conf.CITUS and from_queryset is None and "user_id" in self.__dict__:
            every: Any = type(self)._base_manager.db_manager(using, hints={"instance": self})
            from_queryset = every.filter(user_id=self.user_id)
        super().refresh_from_db(using, fields, from_queryset)

    @property
    def status(self) -> Status:
        """Whether the session is active, revoked or expired, now."""
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
    def is_bound(self) -> bool:
        """Whether its tokens or cookie are of no use without the key of its device."""
        return self.binding != Binding.NONE

    @property
    def is_mobile(self) -> bool:
        """Whether this is a phone. A tablet is none: people look for the one or for the other."""
        return self.device_type == DeviceType.MOBILE

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # A whole-row save of a copy read earlier would write its old `revoked_at` back.
        if not self._state.adding and update_fields is None:
            raise TypeError(
                "Change a DeviceSession with devices.shortcuts; "
                "save() of an existing one needs update_fields."
            )
        super().save(*args, update_fields=update_fields, **kwargs)


class Activity(PrimaryModel):
    """Something that happened in a session. Written by `core.log.activity` alone, never changed."""

    # Without a constraint: the log stays when the session is deleted, with its ID.
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
    asn = models.BigIntegerField(null=True, blank=True)
    data = models.JSONField(default=dict)
    # Who did it, if not the user; `by` in the data. To be found by when they are erased.
    actor = _who_acted()
    # Whether it has an address or other details that have to be shortened one day.
    is_precise = models.BooleanField(default=True, editable=False)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        indexes = [
            Index("session", F("at").desc(), F("id").desc(), name="devices_act_session"),
            Index("user", F("at").desc(), name="devices_act_user"),
            Index("actor", condition=Q(actor__isnull=False), name="devices_act_actor"),
            Index(F("at").desc(), F("id").desc(), name="devices_act_newest"),
            Index("at", condition=Q(is_precise=True), name="devices_act_precise"),
            Index("ip_address", name="devices_act_address"),
            Index(F("asn"), condition=Q(asn__isnull=False), name="devices_act_asn"),
        ]

    def __str__(self) -> str:
        return self.kind


class LoginThrottle(PrimaryModel):
    """How often a password was tried of late, for one account or from one address.

    Written by `core.throttling` alone. `key` is a digest: what people type into a login form is not kept.
    """

    key = models.CharField(primary_key=True, max_length=64)
    # Within the window: attempts that failed, and attempts whose outcome is not known (yet).
    failures = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    window_ends = models.DateTimeField(db_index=True)
    # Failures since the last success, over all windows; and those before it.
    consecutive = models.PositiveIntegerField(default=0)
    before_success = models.PositiveIntegerField(default=0)
    # Of a name that no account had at the last failure.
    is_unknown = models.BooleanField(default=False)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("login throttle")
        verbose_name_plural = _("login throttles")
        indexes = [
            Index("window_ends", condition=Q(is_unknown=True), name="devices_limits_unknown"),
        ]


class FailureKind(models.TextChoices):
    """How a sign-in failed: the events of the security log."""

    PASSWORD = "login.failed", _("Wrong password or unknown account")
    PASSWORD_BLOCKED = "login.blocked", _("Blocked after too many attempts")
    FACTOR = "otp.failed", _("Wrong second factor")
    FACTOR_BLOCKED = "otp.blocked", _("Second factor or code blocked after too many attempts")
    CODE = "device_code.failed", _("Wrong code by mail")


class FailedLogin(PrimaryModel):
    """Sign-ins that failed alike, for one account from one address, within a quarter of an hour.

    Written by `core.log.failures` alone. Nothing that was typed is in it: no password, and no name, which may
    be a password in the wrong field.
    """

    # Derived from the content of the row, so that two concurrent inserts make one row.
    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=32, choices=FailureKind)
    # None: no account has the name. Without a constraint, by which the deletion of an account that is being
    # tried just then would answer the attempt with an error.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # Of IPv6 the first of the /64, which is what a customer has.
    ip_address = models.GenericIPAddressField(null=True)
    # Where the address is, or where its network is registered; empty if unknown.
    country = models.CharField(max_length=2, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("failed sign-in")
        verbose_name_plural = _("failed sign-ins")
        indexes = [
            Index(F("first_at").desc(), F("id").desc(), name="devices_failed_newest"),
            Index("user", condition=Q(user__isnull=False), name="devices_failed_user"),
            Index("ip_address", name="devices_failed_address"),
            Index("country", name="devices_failed_country"),
        ]

    def __str__(self) -> str:
        return self.kind


class EventCounter(PrimaryModel):
    """How many things of a kind happened in a quarter of an hour. Written by `core.log.counters` alone."""

    # Of the quarter, in UTC. Every zone there is differs from UTC by quarters of an hour.
    start = models.DateTimeField()
    kind = models.CharField(max_length=32)
    # Of the rows that one quarter and kind have; they are added up.
    shard = models.PositiveSmallIntegerField()
    count = models.PositiveIntegerField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("event counter")
        verbose_name_plural = _("event counters")
        constraints = [
            UniqueConstraint("start", "kind", "shard", name="devices_counter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.start:%Y-%m-%d %H:%M}"


class StatsSnapshot(PrimaryModel):
    """What staff see of all sessions at a glance. One row, written by `core.staff.statistics` alone."""

    data = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True, blank=True)
    # Of the last attempt, which may have been given up.
    begun_at = models.DateTimeField(null=True, blank=True)
    took = models.FloatField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("statistics snapshot")
        verbose_name_plural = _("statistics snapshots")

    def __str__(self) -> str:
        return f"{self.counted_at}"


class LoginHistory(PrimaryModel):
    """What is remembered of logins, to tell an unusual one. Written by `core.risk.login_history` alone.

    One compact row, so that a login reads it at one go; it outlives the sessions and holds no address.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices_login_history"
    )
    data = models.JSONField(default=dict)
    # The last login that was learned from.
    seen_at = models.DateTimeField(db_index=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("login history")
        verbose_name_plural = _("login histories")

    def __str__(self) -> str:
        return str(self.user_id)


class TrustedDeviceQuerySet(PrimaryQuerySet["TrustedDevice"]):
    """Queries for trusted devices, on the primary."""

    def for_user(self, user: AbstractBaseUser) -> Self:
        """Those that were trusted under the password the user has now."""
        return self.filter(user_id=user.pk, password_stamp=password_stamp(user.password))


class TrustedDevice(PrimaryModel):
    """A device that signs in without a second factor for a while. Written by `core.trusted_devices` alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is that of the constraint.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    # The digest that sessions have too: neither the cookie nor the app's id is kept.
    device_key = models.CharField(max_length=64)
    device = models.CharField(max_length=64)
    device_type = models.CharField(max_length=16, choices=DeviceType, default=DeviceType.UNKNOWN)
    # It was given under this password and these factors, and ends with either.
    password_stamp = models.CharField(max_length=32)
    factor_stamp = models.CharField(max_length=64, blank=True)
    trusted_at = models.DateTimeField(db_index=True)

    objects = TrustedDeviceQuerySet.as_manager()  # type: ignore[misc]

    class Meta(PrimaryModel.Meta):
        verbose_name = _("trusted device")
        verbose_name_plural = _("trusted devices")
        constraints = [
            UniqueConstraint("user", "device_key", name="devices_trusted_once"),
        ]

    def __str__(self) -> str:
        return self.device


class DeviceCode(PrimaryModel):
    """A login on a new device that waits for a code by mail. Written by `core.device_codes` alone.

    The code is not kept: it is derived from the id by a key of the server.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Who began the revocation. Only they may continue it.
    device_key = models.CharField(max_length=64)
    password_stamp = models.CharField(max_length=32)
    login_method = models.CharField(max_length=32)
    remember = models.BooleanField()
    created_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField()
    mails = models.PositiveSmallIntegerField(default=1)
    attempts = models.PositiveSmallIntegerField(default=0)
    redeemed_at = models.DateTimeField(null=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("code for a new device")
        verbose_name_plural = _("codes for new devices")


class UsedProof(PrimaryModel):
    """A proof of a key that was shown, and is not good again. Written by `core.binding.replay` alone."""

    # A digest of the key's thumbprint and the proof's `jti`.
    key = models.CharField(primary_key=True, max_length=43)
    expires_at = models.DateTimeField(db_index=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("used proof")
        verbose_name_plural = _("used proofs")


class NotificationKind(models.TextChoices):
    """What an e-mail is about."""

    NEW_DEVICE = "new_device", _("Sign-in on a new device")
    SUSPICIOUS_LOGIN = "suspicious_login", _("Suspicious sign-in")
    REFRESH_REUSED = "refresh_reused", _("Copied session")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    SESSION_APPROVED = "session_approved", _("Sign-in approved")
    ADDRESS_CHANGED = "address_changed", _("Email address changed")
    NOTICES_OFF = "notices_off", _("Mails switched off")
    STAFF_CHANGED = "staff_changed", _("Sign-in method changed by staff")
    BINDING_FAILED = "binding_failed", _("Copied session was refused")
    BINDING_LOST = "binding_lost", _("Session is no longer bound to its device")
    METHOD_ADDED = "method_added", _("Sign-in method added")
    ACCOUNT_RECOVERED = "account_recovered", _("Account restored")
    DEVICE_CODE = "device_code", _("Code for a new device")


class NotificationOutcome(models.TextChoices):
    """What became of an e-mail."""

    SENT = "sent", _("Sent")
    UNWANTED = "unwanted", _("Not wanted")
    NO_ADDRESS = "no_address", _("No address")
    GIVEN_UP = "given_up", _("Given up")
    LIMITED = "limited", _("Too many")


class Notification(PrimaryModel):
    """A mail that has to be sent. Written by `core.notifications` alone, in the transaction of its cause."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=True
    )
    # Of a session that may be deleted before.
    session_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=32, choices=NotificationKind)
    # The account's when this was written. Who changes it afterwards does not get the mail.
    address = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    language = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    # From when on a worker may take it. That worker moves it to the time until which it is reserved.
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=NotificationOutcome, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        indexes = [
            Index("due_at", condition=Q(done_at__isnull=True), name="devices_notifications_due"),
            Index("done_at", condition=Q(done_at__isnull=False), name="devices_notifications_done"),
        ]

    def __str__(self) -> str:
        return self.kind


class NotificationPreferences(PrimaryModel):
    """What a user prefers of mails. What is critical is always sent. Written by `core.notifications`."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    new_device = models.BooleanField(_("a new device"), default=True)
    suspicious_login = models.BooleanField(_("a sign-in that is somewhat unusual"), default=True)
    # By which mails tell times, by its name (IANA). Empty: the site's.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("notification preferences")
        verbose_name_plural = _("notification preferences")

    def __str__(self) -> str:
        return str(self.user_id)


class KeyState(models.TextChoices):
    """What a signing key is for; docs/keys.md has the table."""

    NEXT = "next", _("Next")
    SIGNING = "signing", _("Signing")
    RETIRED = "retired", _("Retired")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class SigningKey(PrimaryModel):
    """A key that signs tokens, or that was withdrawn. Written by `core.keys.rotation` alone."""

    kid = models.CharField(primary_key=True, max_length=128)
    algorithm = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=16, choices=KeyState)
    # The key as a JWK, encrypted; of a retired one its public half. Empty: kept elsewhere, or withdrawn.
    material = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    signing_since = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    # When the last token under a retired key has expired.
    accepted_until = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        constraints = [
            UniqueConstraint(
                "state", condition=Q(state__in=("next", "signing")), name="devices_one_signing_key"
            ),
            CheckConstraint(name="devices_key_state", condition=Q(state__in=KeyState.values)),
        ]


class DatabaseHistory(PrimaryModel):
    """A history of the database, and how far it is known to go. Written by `core.failover` alone."""

    # System identifier and timeline of PostgreSQL: `core.database.history`.
    history = models.CharField(max_length=64, unique=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = _("database history")
        verbose_name_plural = _("database histories")

    def __str__(self) -> str:
        return self.history


class RevocationEvent(PrimaryModel):
    """A session that ended or a key that was withdrawn, for services. Written by `core.ended` alone."""

    session_id = models.UUIDField(null=True)
    kid = models.CharField(max_length=128, blank=True)
    # The transaction that wrote it (PostgreSQL's xid8), by which readers tell what they have not seen yet.
    xid = models.BigIntegerField(db_index=True)
    # Until when a token of it could be in time.
    until = models.DateTimeField(db_index=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("revocation event")
        verbose_name_plural = _("revocation events")

    def __str__(self) -> str:
        return str(self.session_id or self.kid)
