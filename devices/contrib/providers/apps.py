"""The app `devices.contrib.providers`: only its command needs it in INSTALLED_APPS."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProvidersConfig(AppConfig):
    """Offer the command that polls identity providers."""

    name = "devices.contrib.providers"
    label = "devices_providers"
    verbose_name = _("Identity providers")
