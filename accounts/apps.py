from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Register receivers, OpenAPI extensions and the check of second-factor codes."""

    name = "accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("accounts.schema")
        import_module("accounts.receivers")
        import_module("accounts.second_factor").take_over()
        import_module("devices.contrib.allauth_mfa").take_over()
        import_module("accounts.reauthentication").take_over()
        import_module("accounts.inputs").take_over()
