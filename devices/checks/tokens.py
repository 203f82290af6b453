"""How tokens are signed, and whom they name."""

import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import jwt
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import conf
from devices.core import tokens

# RFC 7518 §3.2: a key of at least the size of the hash.
KEY_BYTES = 32
# How WSGI names a header.
_META = re.compile(r"HTTP_[A-Z0-9_]+", re.ASCII)
LONGEST_LEEWAY = timedelta(minutes=1)


def check() -> Iterator[CheckMessage]:
    """Check SimpleJWT's settings: keys, algorithm, lifetimes, rotation, and what clients send."""
    found = list(_settings())
    yield from found
    # Whatever is left, by trying: another fault would only be told twice.
    if not any(message.is_serious() for message in found):
        yield from _round_trip()
    yield from _header()
    yield from _names()


def _settings() -> Iterator[CheckMessage]:
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


def _round_trip() -> Iterator[CheckMessage]:
    given = simplejwt.api_settings
    if conf.SIGNING_KEYS is not None or given.JWK_URL:
        # Their keys are the database's, or another server's.
        return
    try:
        tokens.try_settings()
    except Exception as error:  # whatever PyJWT and cryptography make of it
        why = error.__cause__ or error
        yield Error(
            f"Tokens that SIMPLE_JWT makes cannot be read again ({type(why).__name__}: {why}): "
            "people sign in, and every request after that fails.",
            hint="VERIFYING_KEY has to belong to SIGNING_KEY (RS256 and the like); ISSUER is a text, "
            "AUDIENCE a text or a list; USER_ID_CLAIM, JTI_CLAIM and TOKEN_TYPE_CLAIM differ, and name "
            "no other claim.",
            id="devices.E066",
        )


def _header() -> Iterator[CheckMessage]:
    given = simplejwt.api_settings
    name = given.AUTH_HEADER_NAME
    if not (given.AUTH_HEADER_TYPES and isinstance(name, str) and _META.fullmatch(name)):
        yield Error(
            "No header can have a token: SIMPLE_JWT['AUTH_HEADER_NAME'] is not a name as request.META has "
            "it, or AUTH_HEADER_TYPES is empty.",
            hint="Write 'HTTP_AUTHORIZATION' for the header Authorization, and ('Bearer',).",
            id="devices.E067",
        )


def _names() -> Iterator[CheckMessage]:
    """Keys that SimpleJWT ignores. Other packages may read the same settings, so that only a slip counts."""
    given = getattr(settings, "SIMPLE_JWT", None) or {}
    for name in sorted(given.keys() - simplejwt.DEFAULTS.keys()):
        if meant := get_close_matches(name, simplejwt.DEFAULTS, n=1, cutoff=0.85):
            yield checks.Warning(
                f"SIMPLE_JWT['{name}'] is not a setting, and has no effect.",
                hint=f"Write '{meant[0]}', if that is meant.",
                id="devices.W068",
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
