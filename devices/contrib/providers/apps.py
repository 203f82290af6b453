"""The app `devices.contrib.providers`: in INSTALLED_APPS for its command and its table."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProvidersConfig(AppConfig):
    """Offer the command that polls identity providers, and remember their sessions."""

    name = "devices.contrib.providers"
    label = "devices_providers"
    verbose_name = _("Identity providers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("devices.contrib.providers.receivers")
