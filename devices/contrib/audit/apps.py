"""The app `devices.contrib.audit`, which is off unless it is in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    """Register the receivers and the task that seals entries."""

    name = "devices.contrib.audit"
    label = "devices_audit"
    verbose_name = _("Audit")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("devices.contrib.audit.receivers")
        # Named here, so that every process that may do it knows the task.
        import_module("devices.contrib.audit.sealing")
