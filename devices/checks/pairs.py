"""Settings that contradict one another: durations out of order, and what needs another to have an effect."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import Conf
from devices.core import database
from devices.core.notifications import review_links

from . import urls
from .tokens import is_leeway
from .values import DURATIONS, LONGEST, is_duration

# SimpleJWT's, which every lifetime rests on.
LIFETIMES: Final = ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME")


class Order(NamedTuple):
    """A duration that has to be shorter than another, and what happens if it is not."""

    shorter: str
    longer: str
    otherwise: str
    # Only if the project has set the shorter one: its default then does no harm.
    if_set: bool = False


CODE_VIEWS: Final = (
    "devices.api.views.DeviceCodeView",
    "devices.web.device_code.DeviceCodeView",
    "devices.contrib.cookies.views.CookieLoginCodeView",
)

# Limits that another one makes pointless.
LIMITS: Final = (
    Order("RISK_DORMANT_DAYS", "RISK_MEMORY_DAYS", "no account counts as dormant"),
    Order("STEP_UP_MAX_AGE", "SESSION_MAX_AGE", "nobody is asked to confirm who they are"),
    Order(
        "SHORT_SESSION_MAX_AGE", "SESSION_MAX_AGE", "`remember: false` has no effect", if_set=True
    ),
    Order("IMPERSONATION_MAX_AGE", "SESSION_MAX_AGE", "staff stay signed in as a user for longer"),
    Order(
        "DBSC_COOKIE_AGE", "REFRESH_TOKEN_LIFETIME", "a copied cookie works as long as the session"
    ),
)
# Tokens that another duration outlives.
TOKENS: Final = (
    Order(
        "REFRESH_GRACE",
        "ACCESS_TOKEN_LIFETIME",
        "a stolen refresh token works from one refresh to the next",
    ),
    Order("LEEWAY", "ACCESS_TOKEN_LIFETIME", "expired access tokens work as long as valid ones"),
    Order(
        "ACCESS_TOKEN_LIFETIME",
        "REFRESH_TOKEN_LIFETIME",
        "when an access token expires, so has the refresh token",
    ),
)
# With these, sessions of pages end while they are used.
PAGES: Final = (
    Order("TOUCH_INTERVAL", "REFRESH_TOKEN_LIFETIME", "sessions of pages end while used"),
    Order("TOUCH_INTERVAL", "SESSION_COOKIE_AGE", "sessions of pages end while used"),
)


def check_lifetimes() -> Iterator[CheckMessage]:
    """Check that SimpleJWT's lifetimes are durations: SimpleJWT does not, and logins would fail."""
    for key in LIFETIMES:
        value = getattr(simplejwt.api_settings, key)
        if not isinstance(value, timedelta) or not timedelta() < value <= LONGEST:
            yield Error(
                f"SIMPLE_JWT['{key}'] is not a timedelta above 0, or is longer than 100 years.",
                hint="Write timedelta(days=30).",
                id="devices.E059",
            )


def check() -> Iterator[CheckMessage]:
    """Check the settings two by two."""
    for order in filter(_is_broken, LIMITS):
        yield checks.Warning(
            _sentence(order),
            hint="Shorten the former or lengthen the latter; see docs/settings.md.",
            id="devices.W056",
        )
    for order in filter(_is_broken, TOKENS):
        yield checks.Warning(
            _sentence(order),
            hint="Access tokens usually live for minutes, and refresh tokens for days.",
            id="devices.W057",
        )
    for order in filter(_is_broken, PAGES):
        yield Error(
            _sentence(order),
            hint="A minute is usual for TOUCH_INTERVAL.",
            id="devices.E054",
        )
    if _is_set("INACTIVE_DAYS") and _less("INACTIVE_DAYS", "REFRESH_TOKEN_LIFETIME"):
        yield checks.Warning(
            "DEVICES['INACTIVE_DAYS'] is shorter than the idle limit, so it has no effect.",
            hint="SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] is the idle limit: shorten that instead.",
            id="devices.W043",
        )
    retention = _span("RETENTION_DAYS")
    if retention is not None and retention < review_links.LIFETIME:
        yield checks.Warning(
            "E-mails ask “Was this you?” for seven days. DEVICES['RETENTION_DAYS'] deletes ended sessions "
            "earlier, and then nobody can say no.",
            hint="Set it to 7 or more.",
            id="devices.W062",
        )
    for key, (has_effect, needed) in NEEDS.items():
        if _is_set(key) and not has_effect():
            yield checks.Warning(
                f"DEVICES['{key}'] has no effect without {needed}.",
                hint="Add that, or remove the setting; see docs/settings.md.",
                id="devices.W058",
            )


def _sentence(order: Order) -> str:
    return f"{order.shorter} is not shorter than {order.longer}: {order.otherwise}."


def _less(key: str, other: str) -> bool:
    one, two = _span(key), _span(other)
    return one is not None and two is not None and one < two


def _is_broken(order: Order) -> bool:
    if order.shorter == "DBSC_COOKIE_AGE" and not Conf().DBSC:
        return False
    if order.if_set and not _is_set(order.shorter):
        return False
    shorter, longer = _span(order.shorter), _span(order.longer)
    # Without a limit at all, which another check says, nothing is compared with it.
    return shorter is not None and longer is not None and bool(longer) and shorter >= longer


def _span(key: str) -> timedelta | None:
    """How long that is; None if it is switched off, or no duration, which another check says."""
    if key in LIFETIMES:
        span = getattr(simplejwt.api_settings, key)
    elif key == "LEEWAY":
        leeway = simplejwt.api_settings.LEEWAY
        span = leeway if is_leeway(leeway) else None
    elif key == "SESSION_COOKIE_AGE":
        span = settings.SESSION_COOKIE_AGE
    else:
        least, _ = DURATIONS.get(key, (0, False))
        given = getattr(settings, "DEVICES", {})
        span = getattr(Conf(), key) if is_duration(key, given.get(key, least), least) else None
    if isinstance(span, int | float):
        span = timedelta(seconds=span)
    return span if isinstance(span, timedelta) else None


def _is_set(key: str) -> bool:
    """Whether the project wants something else than the default."""
    given = getattr(settings, "DEVICES", {})
    return key in given and given[key] != getattr(_Defaults(), key)


class _Defaults(Conf):
    """The settings of a project that has set none."""

    def _get(self, key: str, default: Any) -> Any:
        return default


def _has_dpop() -> bool:
    return getattr(settings, "DEVICES", {}).get("DPOP", "optional") not in (None, "", "off")


def _is_fed() -> bool:
    return Conf().FEED or apps.is_installed("devices.contrib.ssf")


# What has an effect only if something else is there, and how that is called.
NEEDS: Final[dict[str, tuple[Callable[[], bool], str]]] = {
    "TRUSTED_DEVICE_MAX_AGE": (lambda: Conf().SECOND_FACTOR is not None, "SECOND_FACTOR"),
    "DEVICE_CODE_METHODS": (lambda: urls.serves(*CODE_VIEWS), "a URL that takes the codes"),
    "ACCESS_COOKIE": (
        lambda: urls.serves("devices.contrib.cookies."),
        "devices.contrib.cookies.urls",
    ),
    "DBSC_COOKIE_AGE": (lambda: Conf().DBSC, "DBSC"),
    "DPOP_MAX_AGE": (_has_dpop, "DPOP"),
    "DPOP_NONCE": (_has_dpop, "DPOP"),
    "DPOP_STORE": (_has_dpop, "DPOP"),
    "FEED_WAIT": (_is_fed, "FEED"),
    "FEED_WAITERS": (_is_fed, "FEED"),
    "KEY_ENCRYPTION_KEYS": (lambda: Conf().SIGNING_KEYS == "database", "SIGNING_KEYS = 'database'"),
    "REVOCATION_COMMIT": (lambda: database.connection().vendor == "postgresql", "PostgreSQL"),
    "PROVIDERS": (lambda: bool(_setting("PROVIDER_PEOPLE")), "PROVIDER_PEOPLE"),
    "PROVIDER_PEOPLE": (lambda: bool(_setting("PROVIDERS")), "PROVIDERS"),
}


def _setting(key: str) -> Any:
    return getattr(settings, "DEVICES", {}).get(key)
