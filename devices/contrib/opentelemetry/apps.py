"""The app `devices.contrib.opentelemetry`, which is off unless it is in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenTelemetryConfig(AppConfig):
    """The app `devices.contrib.opentelemetry`, which is off unless it is in INSTALLED_APPS."""

    name = "devices.contrib.opentelemetry"
    label = "devices_opentelemetry"
    verbose_name = _("OpenTelemetry")

    def ready(self) -> None:
        import_module("devices.contrib.opentelemetry.instruments").install()
