"""The keys of SIGNING_KEYS: that there are any, and that they can be read."""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.checks import CheckMessage, Error
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import Conf
from devices.core import database, service_clients
from devices.core.keys import sources
from devices.exceptions import KeysUnavailable

DIGEST = re.compile(r"sha256\$[0-9a-f]{64}")


def check() -> Iterator[CheckMessage]:
    """Check signing keys, token formats and the feed."""
    yield from check_formats()
    yield from check_feed()
    yield from check_providers()
    setting = Conf().SIGNING_KEYS
    if setting is None:
        return
    if simplejwt.api_settings.JWK_URL:
        yield Error(
            "DEVICES['SIGNING_KEYS'] and SIMPLE_JWT['JWK_URL'] are both set.",
            hint="Remove JWK_URL: it is for tokens that another service signs.",
            id="devices.E090",
        )
    if problem := _problem(setting):
        yield Error(
            f"DEVICES['SIGNING_KEYS'] cannot be used: {problem}",
            hint="See docs/keys.md.",
            id="devices.E091",
        )


def check_formats() -> Iterator[CheckMessage]:
    """What tokens claim, and which services may ask about them."""
    conf, jwt = Conf(), simplejwt.api_settings
    if conf.ACCESS_TOKEN_FORMAT not in ("simplejwt", "rfc9068"):
        yield Error(
            "DEVICES['ACCESS_TOKEN_FORMAT'] is neither 'simplejwt' nor 'rfc9068'.",
            hint="See docs/services.md.",
            id="devices.E092",
        )
    if conf.ACCESS_TOKEN_FORMAT == "rfc9068" and not (jwt.ISSUER and jwt.AUDIENCE):
        yield Error(
            "Access tokens of RFC 9068 need an issuer and an audience.",
            hint="Set SIMPLE_JWT['ISSUER'] to the URL of the site, and SIMPLE_JWT['AUDIENCE'].",
            id="devices.E093",
        )
    if wrong := [
        name for name, given in conf.SERVICE_CLIENTS.items() if not _is_client(name, given)
    ]:
        yield Error(
            f"DEVICES['SERVICE_CLIENTS'] has invalid entries: {', '.join(map(repr, wrong))}.",
            hint="Copy the line that `manage.py service_client NAME` shows.",
            id="devices.E094",
        )


def check_feed() -> Iterator[CheckMessage]:
    """Check what the feed needs, if it is on."""
    conf = Conf()
    if conf.FEED and database.connection().vendor != "postgresql":
        yield Error(
            "DEVICES['FEED'] needs PostgreSQL: other databases cannot say which transactions are visible.",
            hint="Use PostgreSQL, or introspection; see docs/services.md.",
            id="devices.E095",
        )
    if conf.FEED and conf.SIGNING_KEYS is None:
        yield Error(
            "DEVICES['FEED'] needs signing keys.",
            hint="Set DEVICES['SIGNING_KEYS']; see docs/keys.md.",
            id="devices.E096",
        )


def check_providers() -> Iterator[CheckMessage]:
    """Check that each identity provider is named in full, and that its sessions are told apart."""
    if wrong := [name for name, given in Conf().PROVIDERS.items() if not _is_provider(given)]:
        yield Error(
            f"DEVICES['PROVIDERS'] has invalid entries: {', '.join(map(repr, wrong))}.",
            hint="Give `issuer`, `audience` and an https `jwks_url`; `poll` has an https `url` and "
            "`authorization`. On localhost http will do. See docs/provider-signals.md.",
            id="devices.E097",
        )
    if Conf().PROVIDERS and not apps.is_installed("devices.contrib.providers"):
        yield checks.Warning(
            "A logout at an identity provider ends all sessions of its user, also in other browsers.",
            hint="Add 'devices.contrib.providers' to INSTALLED_APPS: it remembers which is which.",
            id="devices.W170",
        )


def _is_provider(given: Any) -> bool:
    if not isinstance(given, dict):
        return False
    for name in ("issuer", "audience"):
        value = given.get(name)
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list | tuple) or not several:
            return False
        if not all(isinstance(each, str) and each for each in several):
            return False
    poll = given.get("poll", {"url": "https://", "authorization": ""})
    return _is_safe(str(given.get("jwks_url", ""))) and _is_polled(poll)


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can change the answer: https, or a provider on this very machine."""
    return re.match(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", url) is not None


def _is_polled(given: Any) -> bool:
    if not isinstance(given, dict) or given.keys() != {"url", "authorization"}:
        return False
    secret = given["authorization"]
    return _is_safe(str(given["url"])) and (isinstance(secret, str) or callable(secret))


def _is_client(name: Any, given: Any) -> bool:
    try:
        digests = service_clients.digests(given)
        may = set(given.get("may", ()))
    except (AttributeError, KeyError, TypeError):
        return False
    return (
        isinstance(name, str)
        and re.fullmatch(r"[!-9;-~]+", name) is not None
        and bool(digests)
        and all(isinstance(each, str) and DIGEST.fullmatch(each) for each in digests)
        and may <= set(service_clients.PERMISSIONS)
    )


def _problem(setting: Any) -> str:
    """What is wrong with the setting itself. What is in the database is asked when it is used."""
    if setting == "database":
        return ""
    if not isinstance(setting, str | list | tuple):
        return "it is neither “database” nor a list of keys nor an import path."
    try:
        sources.demand_order(sources.load(setting, ()))
    except KeysUnavailable as error:
        return str(error)
    except Exception as error:  # of the host project's class
        return f"{type(error).__name__} while it was read."
    return ""
