"""Who you are: a user whose login is the email address."""

import uuid
from functools import cache
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.account import verify_password
from devices.core.statements import Parameter, Select

# What counts as a second factor among allauth's authenticators. Recovery codes only stand in for one.
FACTORS = ("totp", "webauthn")


def with_second_factor(users: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """The same users, each with `has_second_factor`."""
    factors = apps.get_model("mfa.Authenticator")._default_manager
    mine = factors.filter(user_id=OuterRef("pk"), type__in=FACTORS)
    return users.annotate(has_second_factor=Exists(mine))  # type: ignore[no-any-return]


class UserManager(BaseUserManager["User"]):
    """Creates users, whose addresses are stored in lower case, and reads them for a login."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user. Raises IntegrityError if the address is taken, in whichever case it is written."""
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a superuser. Raises IntegrityError if the address is taken."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        """With what is asked of those who sign in: `has_second_factor`, `has_proved_email`."""
        statement = _by_email(self.db, settings.REQUIRE_EMAIL_VERIFICATION)
        for user in statement.run({"email": (email or "").lower()}):
            return user  # type: ignore[no-any-return]
        raise self.model.DoesNotExist

    async def aget_by_natural_key(self, email: str | None) -> "User":
        return await sync_to_async(self.get_by_natural_key)(email)


class User(AbstractBaseUser, PermissionsMixin):
    """A user who signs in with an e-mail address."""

    email = models.EmailField(_("email address"), unique=True)
    is_staff = models.BooleanField(
        _("staff status"), default=False, help_text=_("Whether this user may enter the admin.")
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Inactive users cannot sign in; deactivating ends their sessions for good."),
    )
    date_joined = models.DateTimeField(_("date joined"), default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            # Stored in lower case only, so that being unique means unique in any case.
            models.CheckConstraint(
                name="accounts_email_lower", condition=Q(email=Lower(F("email")))
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def check_password(self, raw_password: str | None) -> bool:
        return verify_password(self, raw_password)

    async def acheck_password(self, raw_password: str | None) -> bool:
        return await sync_to_async(self.check_password)(raw_password)

    def clean(self) -> None:
        self.email = self.email.lower()


@cache
def _by_email(using: str, demands_proof: bool) -> Select:
    """The statement of `get_by_natural_key`: each login asks it."""
    users = with_second_factor(User._base_manager.all())
    if demands_proof:
        addresses = apps.get_model("account.EmailAddress")._default_manager
        proved = addresses.filter(user_id=OuterRef("pk"), email=OuterRef("email"), verified=True)
        users = users.annotate(has_proved_email=Exists(proved))
    email = Parameter("email", User._meta.get_field("email"))
    return Select(users.filter(email=email), using)


class RecoveryPoint(models.Model):
    """The address an account had when a sign-in method was added. Written by `accounts.recovery` alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_points"
    )
    email = models.EmailField()
    # Keys of the second factors there were before the first of several changes.
    factors = models.JSONField(default=list)
    # Of the first and of the last change.
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True)
    # Whether the account was put back by a link to this point, or to one of the same address.
    was_used = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "email"],
                condition=Q(closed_at__isnull=True),
                name="accounts_one_open_point",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} {self.created_at:%Y-%m-%d %H:%M}"
