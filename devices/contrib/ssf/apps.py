"""The app `devices.contrib.ssf`, which is off unless it is in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SharedSignalsConfig(AppConfig):
    """Register checks, receivers and the tasks that push events."""

    name = "devices.contrib.ssf"
    label = "devices_ssf"
    verbose_name = _("Shared signals")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("devices.contrib.ssf.checks")
        import_module("devices.contrib.ssf.receivers")
        # Named here, so that every process that may do it knows the tasks.
        import_module("devices.contrib.ssf.push")
