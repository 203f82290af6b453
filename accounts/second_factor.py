"""The second factors people have: authenticator apps, passkeys and recovery codes, which allauth.mfa keeps.

Codes are looked at here alone, whether they come to the API, to allauth's pages or to its endpoints for apps:
allauth by itself remembers a used code in a cache for 30 seconds, and counts the tries there.
"""

import base64
import hashlib
import logging
import time
from typing import Any

from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.base.forms import BaseAuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from devices.exceptions import OtpInvalid
from devices.shortcuts import verify_second_factor

from .models import FACTORS, with_second_factor

logger = logging.getLogger("accounts")


class Authenticators:
    """DEVICES["SECOND_FACTOR"]."""

    def has(self, user: AbstractBaseUser) -> bool:
        """Return whether the user has an authenticator app or a security key."""
        # UserManager has asked already, where somebody signs in.
        known: bool | None = getattr(user, "has_second_factor", None)
        if known is not None:
            return known
        mine = Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS)
        return bool(mine.exists())

    def annotate(self, users: QuerySet[Any]) -> QuerySet[Any]:
        """Add `has_second_factor` to each user, so that `has` needs no query."""
        return with_second_factor(users)

    def stamp(self, user: AbstractBaseUser) -> str:
        """Return a digest that changes when a factor is added or removed."""
        mine = Authenticator.objects.filter(user_id=user.pk).order_by("pk")
        rows = [
            f"{pk}:{kind}:{at}" for pk, kind, at in mine.values_list("pk", "type", "created_at")
        ]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    @transaction.atomic
    def verify(self, user: AbstractBaseUser, code: str) -> str | None:
        """Consume a code; return the type of its factor, such as "totp", or None if it is wrong."""
        # Locked, so that of two requests with one code the second finds it used up.
        mine = Authenticator.objects.select_for_update().filter(user_id=user.pk)
        for authenticator in mine.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk"):
            try:
                is_used = _use_up(authenticator, code)
            except InvalidToken:
                logger.error(
                    "Cannot decrypt a second factor: a key is missing in SECRET_KEY_FALLBACKS."
                )
                continue
            if is_used:
                authenticator.record_usage()
                return str(authenticator.type)
        return None


def _use_up(authenticator: Authenticator, code: str) -> bool:
    if authenticator.type != Authenticator.Type.TOTP:
        return bool(authenticator.wrap().validate_code(code))
    secret = get_adapter().decrypt(authenticator.data["secret"])
    for step in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if totp.compare_user_code(actual=code, expected=expected):
            return _move_on(authenticator, step)
    return False


def _move_on(authenticator: Authenticator, step: int) -> bool:
    """Let no code of this step of time or an earlier one be good any more. False if it was none."""
    if step <= authenticator.data.get("used_up_to", 0):
        return False
    authenticator.data["used_up_to"] = step
    authenticator.save(update_fields=["data"])
    return True


def enrolled(authenticator: Authenticator) -> None:
    """A code that enrolled an app cannot be used to sign in."""
    if authenticator.type == Authenticator.Type.TOTP:
        _move_on(authenticator, int(time.time()) // app_settings.TOTP_PERIOD)


def clean_code(form: Any) -> str:
    """For allauth's forms: the code is one of the user's, used up with this, and counted as a try.

    Raises TooManyAttempts, which is a ValidationError.
    """
    code: str = form.cleaned_data["code"]
    try:
        factor = verify_second_factor(context.request, form.user, code)
    except OtpInvalid as error:
        raise get_adapter().validation_error("incorrect_code") from error
    form.authenticator = Authenticator.objects.get(user_id=form.user.pk, type=factor)
    form.authenticator.user = form.user
    return code


def take_over() -> None:
    """Have every form of allauth's that takes a code ask here: those of its pages and of its API."""
    BaseAuthenticateForm.clean_code = clean_code


class MFAAdapter(DefaultMFAAdapter):
    """Secrets are encrypted, under keys made of SECRET_KEY and SECRET_KEY_FALLBACKS."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def _get_site_name(self) -> str:
        name: str = settings.SITE_NAME
        return name


def _fernet() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(secret: str) -> bytes:
    hashed = salted_hmac("accounts.second_factor", "", secret=secret, algorithm="sha256")
    return base64.urlsafe_b64encode(hashed.digest())
