"""Staff on people: the user with their sessions."""

from typing import Any

from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as providers
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from devices.admin.users import UserSessionsMixin

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


# allauth's own shows the secrets, and lets them be edited.
admin.site.unregister(Authenticator)


@admin.register(Authenticator)
class FactorAdmin(AuthenticatorAdmin):
    """Second factors, to be taken from people who lost theirs. Nobody gives one to somebody else."""

    fields = ("user", "type", "created_at", "last_used_at")
    search_fields = ("user__email",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
