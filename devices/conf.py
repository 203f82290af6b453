"""Settings of `devices`: one typed property each, read live from `settings.DEVICES`."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework_simplejwt import settings as jwt


@cache
def _networks(cidrs: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(cidr) for cidr in cidrs)


class Conf:
    def _get(self, key: str, default: Any) -> Any:
        return getattr(settings, "DEVICES", {}).get(key, default)

    @property
    def LIVENESS(self) -> str:
        """Whether a session lives is asked of the "database", or "cached" for up to 30 seconds."""
        return str(self._get("LIVENESS", "database"))

    @property
    def BUS(self) -> str | None:
        """How processes tell each other that a session ended: "postgres", or a URL of PostgreSQL or Redis."""
        return self._get("BUS", None) or None

    @property
    def TOUCH_INTERVAL(self) -> timedelta:
        """Seconds between two writes of a session's last activity."""
        return timedelta(seconds=self._get("TOUCH_INTERVAL", 60))

    @property
    def REFRESH_GRACE(self) -> timedelta:
        """Seconds for which a rotated refresh token still gets its successor."""
        return timedelta(seconds=self._get("REFRESH_GRACE", 20))

    @property
    def SESSION_MAX_AGE(self) -> timedelta:
        """Days after which a session ends, however often it is refreshed."""
        return timedelta(days=self._get("SESSION_MAX_AGE", 90))

    @property
    def MAX_SESSIONS(self) -> int | None:
        """Sessions a user can have at once; one more ends the least recently active. None: no limit."""
        limit: int | None = self._get("MAX_SESSIONS", 20)
        return limit

    @property
    def STEP_UP_MAX_AGE(self) -> timedelta | None:
        """Seconds for which a proof of who one is lasts for sensitive steps. None: for ever."""
        seconds = self._get("STEP_UP_MAX_AGE", 900)
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def SHORT_SESSION_MAX_AGE(self) -> timedelta:
        """Hours after which a session ends that began with `remember: false`."""
        return timedelta(hours=self._get("SHORT_SESSION_MAX_AGE", 12))

    @property
    def IMPERSONATION_MAX_AGE(self) -> timedelta:
        """Seconds after which a session ends that staff began on somebody's behalf."""
        return timedelta(seconds=self._get("IMPERSONATION_MAX_AGE", 3600))

    @property
    def IMPERSONATION_KEYS(self) -> tuple[str, ...]:
        """Keys by which other packages mark a cookie session as one on somebody's behalf."""
        return tuple(self._get("IMPERSONATION_KEYS", ("hijack_history", "loginas_from_user")))

    @property
    def SECOND_FACTOR(self) -> str | None:
        """Dotted path of what knows people's second factors. None: nobody has one."""
        return self._get("SECOND_FACTOR", None) or None

    @property
    def REAUTHENTICATION_URL(self) -> str | None:
        """Name of the URL where people confirm by other means than password and code. None: nowhere."""
        return self._get("REAUTHENTICATION_URL", None) or None

    @property
    def LOGIN_PROOF(self) -> Callable[..., Any] | None:
        """Dotted path of what tells how somebody signed in to the pages. None: by which backend."""
        path = self._get("LOGIN_PROOF", None)
        return import_string(path) if path else None

    @property
    def LOGIN_FAILURES_PER_ACCOUNT(self) -> int:
        """Wrong passwords, or codes, for one account in a minute; then it waits, twice as long each time."""
        return int(self._get("LOGIN_FAILURES_PER_ACCOUNT", 10))

    @property
    def LOGIN_ATTEMPTS_PER_ADDRESS(self) -> int:
        """Passwords, right or wrong, that one address (IPv6: one /64) may try within a minute."""
        return int(self._get("LOGIN_ATTEMPTS_PER_ADDRESS", 100))

    @property
    def INACTIVE_DAYS(self) -> timedelta:
        """Days without activity after which a session is cleaned up."""
        return timedelta(days=self._get("INACTIVE_DAYS", 30))

    @property
    def RETENTION_DAYS(self) -> timedelta:
        """Days for which an ended session is kept."""
        return timedelta(days=self._get("RETENTION_DAYS", 30))

    @property
    def IP_RETENTION_DAYS(self) -> timedelta | None:
        """Days after which addresses are shortened and user agents dropped. None: never."""
        days = self._get("IP_RETENTION_DAYS", 90)
        return None if days is None else timedelta(days=days)

    @property
    def ACTIVITY_RETENTION_DAYS(self) -> timedelta | None:
        """Days for which the activity log is kept. None: as long as the account."""
        days = self._get("ACTIVITY_RETENTION_DAYS", 365)
        return None if days is None else timedelta(days=days)

    @property
    def TRUSTED_PROXIES(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """CIDRs of the proxies whose TRUSTED_PROXY_HEADER is believed."""
        return _networks(tuple(self._get("TRUSTED_PROXIES", ())))

    @property
    def TRUSTED_PROXY_HEADER(self) -> str:
        """The header in which these proxies state the client's address. No other one is read."""
        return str(self._get("TRUSTED_PROXY_HEADER", "X-Forwarded-For"))

    @property
    def CLEAR_SITE_DATA(self) -> tuple[str, ...]:
        """What browsers delete when somebody signs out of the pages: "cache", "storage". Empty: nothing."""
        return tuple(self._get("CLEAR_SITE_DATA", ()))

    @property
    def GEO_BACKEND(self) -> str:
        """Dotted path of what finds the place of an address."""
        return str(self._get("GEO_BACKEND", "devices.core.caller.geo.Iptocc"))

    @property
    def RISK_LEVELS(self) -> dict[str, int | None]:
        """From which score on a login has a level, where it is not as in risk.md; None: never."""
        return dict(self._get("RISK_LEVELS", {}))

    @property
    def RISK_POINTS(self) -> dict[str, int]:
        """What a reason for suspicion counts, where it is not as in risk.md; 0: nothing."""
        return dict(self._get("RISK_POINTS", {}))

    @property
    def RISK_RULES(self) -> tuple[Any, ...]:
        """The host project's own rules on logins, beside ours; given by dotted paths."""
        return tuple(import_string(path) for path in self._get("RISK_RULES", ()))

    @property
    def RISK_MEMORY_DAYS(self) -> timedelta:
        """Days for which a user's devices, countries and networks are remembered, to know a strange login."""
        return timedelta(days=self._get("RISK_MEMORY_DAYS", 180))

    @property
    def RISK_DORMANT_DAYS(self) -> timedelta:
        """Days without a login after which an account counts as dormant."""
        return timedelta(days=self._get("RISK_DORMANT_DAYS", 120))

    @property
    def SITE_NAME(self) -> str:
        """What mails call the site. Empty: the host name of SITE_URL."""
        return str(self._get("SITE_NAME", ""))

    @property
    def SITE_URL(self) -> str:
        """Where the site is: "https://example.org", with its path if any. Empty: no links in mails."""
        return str(self._get("SITE_URL", "")).rstrip("/")

    @property
    def PASSWORD_RESET_URL(self) -> str | None:
        """URL, path or URL name for who must change a password. None: allauth's or Django's, if there."""
        url: str | None = self._get("PASSWORD_RESET_URL", None)
        return url

    @property
    def NOTIFY_NEW_DEVICE(self) -> bool:
        """Whether a mail tells of a sign-in on a device that was not seen before."""
        return bool(self._get("NOTIFY_NEW_DEVICE", True))

    @property
    def NOTICE_QUEUE(self) -> str:
        """Who sends mails: a thread of each process ("embedded"), `devices_worker` ("worker", redis URL)."""
        return str(self._get("NOTICE_QUEUE", "embedded"))

    @property
    def NOTICE_LEASE(self) -> timedelta:
        """Seconds after which a mail that a worker took and did not finish is taken by another."""
        return timedelta(seconds=self._get("NOTICE_LEASE", 300))

    @property
    def LABEL_RULES(self) -> tuple[Any, ...]:
        """The host project's own rules for naming devices, tried in this order; given by dotted paths."""
        return tuple(import_string(path) for path in self._get("LABEL_RULES", ()))

    @property
    def IDLE_LIMIT(self) -> timedelta:
        """How long a session lives without a refresh: SimpleJWT's REFRESH_TOKEN_LIFETIME."""
        lifetime: timedelta = jwt.api_settings.REFRESH_TOKEN_LIFETIME
        return lifetime

    @property
    def ROTATES(self) -> bool:
        """Whether a refresh gives a new refresh token: SimpleJWT's ROTATE_REFRESH_TOKENS."""
        return bool(jwt.api_settings.ROTATE_REFRESH_TOKENS)

    @property
    def AUTHENTICATION_RULE(self) -> Callable[[Any], bool]:
        """Who may be signed in: SimpleJWT's USER_AUTHENTICATION_RULE."""
        rule: Callable[[Any], bool] = jwt.api_settings.USER_AUTHENTICATION_RULE
        return rule

    @property
    def ACCESS_LIFETIME(self) -> timedelta:
        """How long an access token lives: SimpleJWT's ACCESS_TOKEN_LIFETIME."""
        lifetime: timedelta = jwt.api_settings.ACCESS_TOKEN_LIFETIME
        return lifetime


conf = Conf()
