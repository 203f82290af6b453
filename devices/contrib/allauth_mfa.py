"""django-allauth: "Trust this browser?" of `allauth.mfa`, answered by the devices that people trust.

allauth keeps its own answer in a signed cookie, which nobody sees and nobody can end. Here it is a row that
is listed and ended with the user's devices, and allauth's page and endpoint ask for it as ever:

    MFA_TRUST_ENABLED = True
    MFA_TRUST_COOKIE_AGE = DEVICES["TRUSTED_DEVICE_MAX_AGE"]  # for the words of the page

Call `take_over()` in the `ready()` of one of your apps, and name TrustDevice in place of allauth's stage in
`get_login_stages` of your ACCOUNT_ADAPTER.
"""

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.internal.flows import trust
from allauth.mfa.stages import TrustStage
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse

from devices.conf import conf
from devices.core import second_factor, sessions
from devices.http import get_browser_client, get_login_client, get_session
from devices.shortcuts import trust_device
from devices.web.cookie import is_of_browser


class TrustDevice(TrustStage):
    """The step that offers it; not after a recovery code, by which no device becomes trusted."""

    def handle(self) -> Any:
        is_offered = conf.TRUSTED_DEVICE_MAX_AGE and not _by_recovery_code(
            self.request, self.login.user
        )
        return super().handle() if is_offered else (None, True)


def take_over() -> None:
    """Have allauth ask here which browsers are trusted, instead of its cookie: its pages and its endpoints.

    Its views for single-page apps take these functions by name when they are imported, with the URLs.
    """
    trust.is_trusted_browser = is_trusted_browser
    trust.trust_browser = trust_browser


def is_trusted_browser(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Return whether this user's second factor is not asked for here."""
    client = get_browser_client(request) if is_of_browser(request) else get_login_client(request)
    return sessions.is_trusted(user, client)


def trust_browser(request: HttpRequest, user: AbstractBaseUser, response: HttpResponse) -> None:
    """Trust the device of the session that has just begun."""
    if get_session(request) is not None and not _by_recovery_code(request, user):
        trust_device(request)


def _by_recovery_code(request: HttpRequest, user: AbstractBaseUser | None) -> bool:
    records = get_authentication_records(request, user)
    return any(record.get("type") == second_factor.RECOVERY for record in records)
