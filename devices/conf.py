"""Settings of `devices`: one typed attribute each, read from `settings.DEVICES` once.

Django's signal `setting_changed`, which tests send, has them read again (`devices.receivers`).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework_simplejwt import settings as jwt

SECOND: Final = timedelta(seconds=1)
# What a number means, where it is not seconds.
UNITS: Final = {
    "SESSION_MAX_AGE": timedelta(days=1),
    "SHORT_SESSION_MAX_AGE": timedelta(hours=1),
    "INACTIVE_DAYS": timedelta(days=1),
    "RETENTION_DAYS": timedelta(days=1),
    "IP_RETENTION_DAYS": timedelta(days=1),
    "ACTIVITY_RETENTION_DAYS": timedelta(days=1),
    "TRUSTED_DEVICE_MAX_AGE": timedelta(days=1),
    "RISK_MEMORY_DAYS": timedelta(days=1),
    "RISK_DORMANT_DAYS": timedelta(days=1),
}


def is_redis(setting: str) -> bool:
    """Whether a setting is the URL of a Redis."""
    return setting.startswith(("redis://", "rediss://", "unix://"))


class Conf:
    """The settings of DEVICES, one property each. docs/settings.md has a table of them."""

    def reload(self) -> None:
        """Read each setting again when it is next asked for."""
        vars(self).clear()

    def _get(self, key: str, default: Any) -> Any:
        given = getattr(settings, "DEVICES", {})
        # Another kind of value is reported by a check, which runs after the start.
        return given.get(key, default) if isinstance(given, Mapping) else default

    def _duration(self, key: str, default: timedelta) -> timedelta:
        """A timedelta, or a number in the unit of this setting."""
        value = self._get(key, default)
        return value if isinstance(value, timedelta) else value * UNITS.get(key, SECOND)

    def _optional_duration(self, key: str, default: timedelta | None) -> timedelta | None:
        value = self._get(key, default)
        return None if value is None else self._duration(key, value)

    def _imported(self, key: str) -> Callable[..., Any] | None:
        """The function that an import path leads to; None without one."""
        path = self._get(key, None)
        function: Callable[..., Any] | None = import_string(path) if path else None
        return function

    @cached_property
    def LIVENESS(self) -> str:
        """Where requests look up their session: "database", or "cached" in memory for at most 30 seconds."""
        return str(self._get("LIVENESS", "database"))

    @cached_property
    def BUS(self) -> str | None:
        """How processes tell each other that a session ended: "postgres", or a PostgreSQL or Redis URL."""
        return self._get("BUS", None) or None

    @cached_property
    def REVOCATION_COMMIT(self) -> str | None:
        """How PostgreSQL commits what ends sessions: "on" or "remote_apply". None: `synchronous_commit`."""
        return self._get("REVOCATION_COMMIT", None) or None

    @cached_property
    def CITUS(self) -> bool:
        """Whether `distribute_sessions` has spread the sessions over the workers of a Citus cluster."""
        return bool(self._get("CITUS", False))

    @cached_property
    def SIGNING_KEYS(self) -> Any:
        """ "database", a list of keys, or an import path. None: the one key in SIMPLE_JWT."""
        return self._get("SIGNING_KEYS", None) or None

    @cached_property
    def KEY_ENCRYPTION_KEYS(self) -> tuple[str, ...]:
        """Secrets that encrypt signing keys in the database, the newest first. Empty: SECRET_KEY."""
        return tuple(self._get("KEY_ENCRYPTION_KEYS", ()))

    @cached_property
    def ACCESS_TOKEN_FORMAT(self) -> str:
        """Claims of access tokens: "simplejwt", or those of RFC 9068, too: "rfc9068"."""
        return str(self._get("ACCESS_TOKEN_FORMAT", "simplejwt"))

    @cached_property
    def CLIENT_ID(self) -> str:
        """The OAuth client that tokens are issued to, in `client_id`."""
        return str(self._get("CLIENT_ID", "first-party"))

    @cached_property
    def SERVICE_CLIENTS(self) -> dict[str, Any]:
        """Services that may introspect or revoke tokens, by name: digests of their secrets, and rights."""
        return dict(self._get("SERVICE_CLIENTS", {}))

    @cached_property
    def PROVIDERS(self) -> dict[str, Any]:
        """Identity providers that may end sessions, by the sign-in method: issuer, audience, jwks_url."""
        return dict(self._get("PROVIDERS", {}))

    @cached_property
    def PROVIDER_PEOPLE(self) -> Callable[..., Any] | None:
        """Import path of the function that returns whom a provider means. None: nobody."""
        return self._imported("PROVIDER_PEOPLE")

    @cached_property
    def FEED(self) -> bool:
        """Whether services are told which sessions have ended."""
        return bool(self._get("FEED", False))

    @cached_property
    def FEED_WAIT(self) -> timedelta:
        """How long a request of a service may wait, which takes a thread; in seconds."""
        return self._duration("FEED_WAIT", timedelta(seconds=3))

    @cached_property
    def FEED_WAITERS(self) -> int:
        """How many services may wait at once in each process; others are answered at once."""
        return int(self._get("FEED_WAITERS", 1))

    @cached_property
    def TOUCH_INTERVAL(self) -> timedelta:
        """How often the last activity of a session is stored at most; in seconds."""
        return self._duration("TOUCH_INTERVAL", timedelta(seconds=60))

    @cached_property
    def REFRESH_GRACE(self) -> timedelta:
        """How long a refresh can be repeated with the old refresh token; in seconds."""
        return self._duration("REFRESH_GRACE", timedelta(seconds=20))

    @cached_property
    def SESSION_MAX_AGE(self) -> timedelta:
        """When a session ends even if it is used; in days."""
        return self._duration("SESSION_MAX_AGE", timedelta(days=90))

    @cached_property
    def MAX_SESSIONS(self) -> int | None:
        """Active sessions per user. One more ends the least recently used one. None: no limit."""
        limit: int | None = self._get("MAX_SESSIONS", 20)
        return limit

    @cached_property
    def STEP_UP_MAX_AGE(self) -> timedelta | None:
        """How long a confirmation lasts for sensitive actions; in seconds. None: forever."""
        return self._optional_duration("STEP_UP_MAX_AGE", timedelta(minutes=15))

    @cached_property
    def SHORT_SESSION_MAX_AGE(self) -> timedelta:
        """When a session ends that began with `remember: false`; in hours."""
        return self._duration("SHORT_SESSION_MAX_AGE", timedelta(hours=12))

    @cached_property
    def IMPERSONATION_MAX_AGE(self) -> timedelta:
        """When a session ends in which staff act for a user; in seconds."""
        return self._duration("IMPERSONATION_MAX_AGE", timedelta(hours=1))

    @cached_property
    def IMPERSONATION_KEYS(self) -> tuple[str, ...]:
        """Keys that other packages store in a cookie session to mark an impersonation."""
        known = ("hijack_history", "loginas_from_user", "exit_users_pk")
        return tuple(self._get("IMPERSONATION_KEYS", known))

    @cached_property
    def SECOND_FACTOR(self) -> str | None:
        """Import path of the class that verifies second factors. None: there are none."""
        return self._get("SECOND_FACTOR", None) or None

    @cached_property
    def TRUSTED_DEVICE_MAX_AGE(self) -> timedelta | None:
        """How long a trusted device signs in without a second factor; in days. None: no device is trusted."""
        return self._optional_duration("TRUSTED_DEVICE_MAX_AGE", None)

    @cached_property
    def DEVICE_CODE_METHODS(self) -> tuple[str, ...]:
        """Sign-in methods that need a code by e-mail on a new device, such as "password". Empty: none."""
        return tuple(self._get("DEVICE_CODE_METHODS", ()))

    @cached_property
    def REAUTHENTICATION_URL(self) -> str | None:
        """URL name of the page that confirms users without password and code. None: no page."""
        return self._get("REAUTHENTICATION_URL", None) or None

    @cached_property
    def LOGIN_PROOF(self) -> Callable[..., Any] | None:
        """Import path of the function that returns how a user signed in. None: by the backend."""
        return self._imported("LOGIN_PROOF")

    @cached_property
    def ACCESS_COOKIE(self) -> bool:
        """Whether `devices.contrib.cookies` puts the access token in a cookie, too, instead of the answer."""
        return bool(self._get("ACCESS_COOKIE", False))

    @cached_property
    def SESSION_POLICY(self) -> Callable[..., Any] | None:
        """Import path of the function that returns a login's lifetimes and limit. None: these settings."""
        return self._imported("SESSION_POLICY")

    @cached_property
    def CLAIMS(self) -> Callable[..., Any] | None:
        """Import path of the function that returns your own claims for access tokens. None: no claims."""
        return self._imported("CLAIMS")

    @cached_property
    def ACCOUNT_RECOVERY_URL(self) -> Callable[[Any, str], str] | None:
        """Import path of the function that returns the link to restore a former address. None: no link."""
        return self._imported("ACCOUNT_RECOVERY_URL")

    @cached_property
    def LOGIN_FAILURES_PER_ACCOUNT(self) -> int:
        """Wrong passwords or codes per account and minute. More make the account wait, longer each time."""
        return int(self._get("LOGIN_FAILURES_PER_ACCOUNT", 10))

    @cached_property
    def LOGIN_ATTEMPTS_PER_ADDRESS(self) -> int:
        """Passwords that one IP address (IPv6: one /64) may try per minute."""
        return int(self._get("LOGIN_ATTEMPTS_PER_ADDRESS", 100))

    @cached_property
    def INACTIVE_DAYS(self) -> timedelta:
        """When the clean-up deletes a session that is not used; in days."""
        return self._duration("INACTIVE_DAYS", timedelta(days=30))

    @cached_property
    def RETENTION_DAYS(self) -> timedelta:
        """When the clean-up deletes an ended session; in days."""
        return self._duration("RETENTION_DAYS", timedelta(days=30))

    @cached_property
    def IP_RETENTION_DAYS(self) -> timedelta | None:
        """When IP addresses are shortened and user agents removed; in days. None: never."""
        return self._optional_duration("IP_RETENTION_DAYS", timedelta(days=90))

    @cached_property
    def ACTIVITY_RETENTION_DAYS(self) -> timedelta | None:
        """When entries of the activity log are deleted; in days. None: with the account."""
        return self._optional_duration("ACTIVITY_RETENTION_DAYS", timedelta(days=365))

    @cached_property
    def TRUSTED_PROXIES(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Networks (CIDR) of the proxies whose TRUSTED_PROXY_HEADER is trusted."""
        return tuple(ip_network(cidr) for cidr in self._get("TRUSTED_PROXIES", ()))

    @cached_property
    def TRUSTED_PROXY_HEADER(self) -> str:
        """The only header that is read for the client's IP address."""
        return str(self._get("TRUSTED_PROXY_HEADER", "X-Forwarded-For"))

    @cached_property
    def CLEAR_SITE_DATA(self) -> tuple[str, ...]:
        """What browsers delete at sign-out: "cache", "storage", "prefetchCache", "prerenderCache"."""
        return tuple(self._get("CLEAR_SITE_DATA", ()))

    @cached_property
    def DBSC(self) -> bool:
        """Whether to bind sessions in cookies to a key of the browser, where it can (see dbsc.md)."""
        return bool(self._get("DBSC", False))

    @cached_property
    def DBSC_COOKIE_AGE(self) -> timedelta:
        """How often such a browser proves its key, and how long a copied cookie works; in seconds."""
        return self._duration("DBSC_COOKIE_AGE", timedelta(minutes=10))

    @cached_property
    def GEO_BACKEND(self) -> str:
        """Import path of the class that looks up the place of an IP address."""
        return str(self._get("GEO_BACKEND", "devices.core.clients.geolocation.Iptocc"))

    @cached_property
    def ASN_DATABASE(self) -> str:
        """File that tells who operates the network of an address (`.mmdb`). Empty: nothing does."""
        return str(self._get("ASN_DATABASE", ""))

    @cached_property
    def RISK_LEVELS(self) -> dict[str, int | None]:
        """Scores at which the risk levels start, where they differ from risk.md. None: never."""
        return dict(self._get("RISK_LEVELS", {}))

    @cached_property
    def RISK_POINTS(self) -> dict[str, int]:
        """Points of the risk reasons, where they differ from risk.md. 0: ignore the reason."""
        return dict(self._get("RISK_POINTS", {}))

    @cached_property
    def RISK_RULES(self) -> tuple[Any, ...]:
        """Import paths of your own risk rules, added to the built-in ones."""
        return tuple(import_string(path) for path in self._get("RISK_RULES", ()))

    @cached_property
    def RISK_MEMORY_DAYS(self) -> timedelta:
        """How long a user's devices, countries and networks count as known; in days."""
        return self._duration("RISK_MEMORY_DAYS", timedelta(days=180))

    @cached_property
    def RISK_DORMANT_DAYS(self) -> timedelta:
        """When an account without a sign-in counts as dormant; in days."""
        return self._duration("RISK_DORMANT_DAYS", timedelta(days=120))

    @cached_property
    def SITE_NAME(self) -> str:
        """The name of the site in e-mails. Empty: the host name of SITE_URL."""
        return str(self._get("SITE_NAME", ""))

    @cached_property
    def SITE_URL(self) -> str:
        """Where the site is, such as "https://example.org" with its path. Empty: e-mails have no links."""
        return str(self._get("SITE_URL", "")).rstrip("/")

    @cached_property
    def PASSWORD_RESET_URL(self) -> str | None:
        """URL, path or URL name of the password reset. None: allauth's or Django's, if there."""
        url: str | None = self._get("PASSWORD_RESET_URL", None)
        return url

    @cached_property
    def NOTIFY_NEW_DEVICE(self) -> bool:
        """Whether to send an e-mail about a sign-in on a new device."""
        return bool(self._get("NOTIFY_NEW_DEVICE", True))

    @cached_property
    def NOTICE_QUEUE(self) -> str:
        """Who sends e-mails: a thread in each process ("embedded"), or workers ("worker", Redis URL)."""
        return str(self._get("NOTICE_QUEUE", "embedded"))

    @cached_property
    def NOTICE_LEASE(self) -> timedelta:
        """When an e-mail that a worker took but did not send is taken by another one; in seconds."""
        return self._duration("NOTICE_LEASE", timedelta(minutes=5))

    @cached_property
    def LABEL_RULES(self) -> tuple[Any, ...]:
        """Import paths of your own rules that name devices, tried in this order."""
        return tuple(import_string(path) for path in self._get("LABEL_RULES", ()))

    @cached_property
    def DPOP(self) -> str | Callable[[Any, Any], bool]:
        """Who has to use DPoP: "off", "optional", "required", or an import path of a function."""
        given: str = self._get("DPOP", "optional") or "off"
        return given if given in ("off", "optional", "required") else import_string(given)

    @cached_property
    def DPOP_MAX_AGE(self) -> timedelta:
        """How far the time in a DPoP proof may be off, before or after; in seconds."""
        return self._duration("DPOP_MAX_AGE", timedelta(seconds=60))

    @cached_property
    def DPOP_NONCE(self) -> bool:
        """Whether DPoP proofs need a nonce of the server, which then counts instead of their time."""
        return bool(self._get("DPOP_NONCE", False))

    @cached_property
    def DPOP_STORE(self) -> str:
        """Where used DPoP proofs are stored: "database", or a Redis URL."""
        return str(self._get("DPOP_STORE", "database"))

    @cached_property
    def IDLE_LIMIT(self) -> timedelta:
        """How long a session lives without a refresh: SimpleJWT's REFRESH_TOKEN_LIFETIME."""
        lifetime: timedelta = jwt.api_settings.REFRESH_TOKEN_LIFETIME
        return lifetime

    @cached_property
    def ROTATES(self) -> bool:
        """Whether a refresh gives a new refresh token: SimpleJWT's ROTATE_REFRESH_TOKENS."""
        return bool(jwt.api_settings.ROTATE_REFRESH_TOKENS)

    @cached_property
    def AUTHENTICATION_RULE(self) -> Callable[[Any], bool]:
        """Who may be signed in: SimpleJWT's USER_AUTHENTICATION_RULE."""
        rule: Callable[[Any], bool] = jwt.api_settings.USER_AUTHENTICATION_RULE
        return rule

    @cached_property
    def ACCESS_LIFETIME(self) -> timedelta:
        """How long an access token lives: SimpleJWT's ACCESS_TOKEN_LIFETIME."""
        lifetime: timedelta = jwt.api_settings.ACCESS_TOKEN_LIFETIME
        return lifetime


conf = Conf()
