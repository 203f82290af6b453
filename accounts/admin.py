"""Staff on people: the user with their sessions."""

from typing import Any

from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as providers
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from devices.account import notify_method_changed_by_staff
from devices.admin.users import UserSessionsMixin

from . import recovery
from .models import User

# Nobody may see or create what gives access: providers' tokens, and our keys at providers.
admin.site.unregister([providers.SocialToken, providers.SocialApp])


@admin.register(User)
class UserAdmin(UserSessionsMixin, DjangoUserAdmin):
    """The admin of users, with their active sessions."""

    ordering = ("email",)
    list_display = ("email", "is_active", "is_staff", "date_joined", "last_login")
    search_fields = ("email",)
    list_filter = ("is_active", "is_staff", "is_superuser")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (
            _("Permissions"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Important dates"), {"fields": ("last_login", "date_joined")}),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            recovery.close(obj.pk)

    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)


class WayInAdmin(admin.ModelAdmin):
    """Sends an e-mail when staff change a user's sign-in methods. On its own pages allauth does."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            # Whose it was, too: it may be given to somebody else.
            _tell(self.model._default_manager.filter(pk=obj.pk), obj.user_id)
            with recovery.by_staff():
                super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            _tell(self.model._default_manager.filter(pk=obj.pk))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            _tell(queryset)
            super().delete_queryset(request, queryset)


def _tell(rows: QuerySet[Any], *others: Any) -> None:
    for user_id in {*rows.values_list("user_id", flat=True), *others}:
        notify_method_changed_by_staff(user_id)


# allauth's own admin pages send no e-mails.
admin.site.unregister([Authenticator, EmailAddress, SocialAccount])


@admin.register(EmailAddress)
class AddressAdmin(WayInAdmin, EmailAddressAdmin):
    """The admin of e-mail addresses. Changes notify the owner and end recovery links."""

    def make_verified(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            _tell(queryset.filter(verified=False))
            with recovery.by_staff():
                super().make_verified(request, queryset)


@admin.register(SocialAccount)
class IdentityAdmin(WayInAdmin, providers.SocialAccountAdmin):
    """The admin of accounts at identity providers. Changes notify the owner."""


@admin.register(Authenticator)
class FactorAdmin(WayInAdmin, AuthenticatorAdmin):
    """Second factors, to be taken from people who lost theirs. Nobody gives one to somebody else.

    allauth's own shows the secrets, and lets them be edited.
    """

    fields = ("user", "type", "created_at", "last_used_at")
    search_fields = ("user__email",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
