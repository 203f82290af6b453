"""The roof: wires what has to be known before the first request."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class DevicesConfig(AppConfig):
    """Register checks and receivers."""

    name = "devices"
    verbose_name = _("Devices")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("devices.checks")
        import_module("devices.receivers")
        import_module("devices.web.receivers")
        import_module("devices.passwords").adopt()
        import_module("devices.api.authentication").adopt()
        import_module("devices.core.tokens").adopt()
        if apps.is_installed("drf_spectacular"):
            import_module("devices.api.schema")
            import_module("devices.api.staff_schema")
            import_module("devices.contrib.cookies.schema")
        if apps.is_installed("drf_yasg"):
            import_module("devices.api.yasg").adopt()


class GuardedAdminConfig(admin_apps.AdminConfig):
    """Replaces `django.contrib.admin`: staff cannot act on users above them."""

    # What "devices" alone in INSTALLED_APPS stands for is the one above.
    default = False
    default_site = "devices.admin_site.GuardedAdminSite"
