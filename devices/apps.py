"""The roof: wires what has to be known before the first request."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class DevicesConfig(AppConfig):
    name = "devices"
    verbose_name = _("Devices")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("devices.checks")
        import_module("devices.receivers")
        import_module("devices.web.receivers")
        if apps.is_installed("drf_spectacular"):
            import_module("devices.api.schema")
            import_module("devices.api.staff_schema")
