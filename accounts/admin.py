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

from devices.admin.users import UserSessionsMixin
from devices.core.watch import notices

from .models import User

# What opens accounts is nobody's to see or to make: tokens of other sites, and our keys there.
admin.site.unregister([providers.SocialToken, providers.SocialApp])


@admin.register(User)
class UserAdmin(UserSessionsMixin, DjangoUserAdmin):
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
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)


class WayInAdmin(admin.ModelAdmin):
    """What staff change of somebody's ways in is told to them. On its own pages allauth tells."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            # Whose it was, too: it may be given to somebody else.
            _tell(self.model._default_manager.filter(pk=obj.pk), obj.user_id)
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
        notices.tell_staff_changed(user_id)


# allauth's own tell nobody.
admin.site.unregister([Authenticator, EmailAddress, SocialAccount])


@admin.register(EmailAddress)
class AddressAdmin(WayInAdmin, EmailAddressAdmin):
    def make_verified(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            _tell(queryset.filter(verified=False))
            super().make_verified(request, queryset)


@admin.register(SocialAccount)
class IdentityAdmin(WayInAdmin, providers.SocialAccountAdmin):
    pass


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
