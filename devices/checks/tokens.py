"""How tokens are signed, and whom they name."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import conf

# RFC 7518 §3.2: a key of at least the size of the hash.
KEY_BYTES = 32
LONGEST_LEEWAY = timedelta(minutes=1)


def check() -> Iterator[CheckMessage]:
    """Check SimpleJWT's settings: keys, algorithm, lifetimes, rotation."""
    given = simplejwt.api_settings
    if given.BLACKLIST_AFTER_ROTATION:
        yield Error(
            "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] conflicts with the rotation of sessions.",
            hint="Remove it, and rest_framework_simplejwt.token_blacklist: sessions need no token table.",
            id="devices.E004",
        )
    if given.ALGORITHM.startswith("HS"):
        key = str(given.SIGNING_KEY)
        if len(key.encode()) < KEY_BYTES:
            yield Error(
                f"The signing key is shorter than {KEY_BYTES} bytes.",
                hint="Set SIMPLE_JWT['SIGNING_KEY'] to a long random string.",
                id="devices.E005",
            )
        if key == settings.SECRET_KEY:
            yield checks.Warning(
                "Tokens are signed with SECRET_KEY: changing it signs everybody out of the API.",
                hint="Set SIMPLE_JWT['SIGNING_KEY'] to another key.",
                id="devices.W006",
            )
    elif conf.SIGNING_KEYS is None and given.SIGNING_KEY and not _can_sign(given):
        yield Error(
            f"SIMPLE_JWT['SIGNING_KEY'] is no key for {given.ALGORITHM}: each login is answered with 500.",
            hint="Give the private key as PEM, or use DEVICES['SIGNING_KEYS']; see docs/keys.md.",
            id="devices.E019",
        )
    if not given.AUDIENCE:
        yield checks.Warning(
            "Tokens have no audience: those of another service with this key would be accepted.",
            hint="Set SIMPLE_JWT['AUDIENCE'].",
            id="devices.W007",
        )
    if not given.ISSUER:
        yield checks.Warning(
            "Tokens have no issuer.", hint="Set SIMPLE_JWT['ISSUER'].", id="devices.W008"
        )
    if get_user_model()._meta.pk.name != given.USER_ID_FIELD and given.USER_ID_FIELD != "pk":
        yield Error(
            "SIMPLE_JWT['USER_ID_FIELD'] is not the primary key of the user.",
            hint=f"Set it to '{get_user_model()._meta.pk.name}': tokens contain this key.",
            id="devices.E009",
        )
    if not given.ROTATE_REFRESH_TOKENS:
        yield checks.Warning(
            "Refresh tokens are not rotated: a stolen one is not detected.",
            hint="Set SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] once your clients store the token of each answer.",
            id="devices.W044",
        )
    if not given.CHECK_USER_IS_ACTIVE:
        yield checks.Warning(
            "SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] has no effect: no session outlives its account.",
            hint="Remove it.",
            id="devices.W046",
        )
    if apps.is_installed("rest_framework_simplejwt.token_blacklist"):
        yield checks.Warning(
            "token_blacklist is installed: views that use its tables do not end sessions.",
            hint="Remove the app when the old tokens have expired. End sessions with devices.shortcuts.",
            id="devices.W045",
        )
    if not is_leeway(given.LEEWAY):
        yield Error(
            "SIMPLE_JWT['LEEWAY'] is not between 0 and 60 seconds.",
            hint="A few seconds are enough for the clocks of several servers.",
            id="devices.E010",
        )


def _can_sign(given: Any) -> bool:
    try:
        algorithm = jwt.get_algorithm_by_name(given.ALGORITHM)
        algorithm.sign(b"", algorithm.prepare_key(given.SIGNING_KEY))
    except Exception:  # whatever PyJWT and cryptography make of it
        return False
    return True


def is_leeway(leeway: Any) -> bool:
    """Return whether the value is a number of seconds, or a timedelta, from 0 to a minute."""
    if isinstance(leeway, int | float) and not isinstance(leeway, bool):
        leeway = timedelta(seconds=leeway)
    return isinstance(leeway, timedelta) and timedelta(0) <= leeway <= LONGEST_LEEWAY
