"""The app `devices.contrib.providers`: its command, and how sessions are known by their `sid`."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProvidersConfig(AppConfig):
    """Offer the command that polls identity providers, and remember their sessions."""

    name = "devices.contrib.providers"
    label = "devices_providers"
    verbose_name = _("Identity providers")

    def ready(self) -> None:
        import_module("devices.contrib.providers.receivers")
