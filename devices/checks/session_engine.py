"""Whether code that reads cookie sessions without our middleware notices that they have ended."""

from collections.abc import Iterator
from importlib.util import find_spec

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from .names import STORE

# allauth's own, the first of which is its default.
SESSION_TOKENS = "allauth.headless.tokens.strategies.sessions.SessionTokenStrategy"
JWTS = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"


def check() -> Iterator[CheckMessage]:
    """Check that cookie sessions of ended sessions are not read by allauth or Channels."""
    is_ours = issubclass(
        import_string(f"{settings.SESSION_ENGINE}.SessionStore"), import_string(STORE)
    )
    hint = f"Set SESSION_ENGINE to {_engine()!r}; see docs/sign-in-methods.md."
    is_stateful = getattr(settings, "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED", False)
    if _hands_out(SESSION_TOKENS, JWTS) and not is_ours:
        yield Error(
            "Tokens that allauth gives to apps still work after their session has ended.",
            hint=hint,
            id="devices.E080",
        )
    if _hands_out(JWTS) and not is_stateful:
        yield Error(
            "Access tokens of allauth still work after their session has ended.",
            hint="Set HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True.",
            id="devices.E081",
        )
    if _has_channels() and not is_ours:
        yield checks.Warning(
            "Channels' AuthMiddleware accepts the cookie of a session that has ended.",
            hint=hint,
            id="devices.W082",
        )


def _engine() -> str:
    """Ours that keeps the sessions where this project has them, if there is one."""
    kind = settings.SESSION_ENGINE.rpartition(".")[2]
    return f"devices.web.session_engines.{kind if kind in ('cache', 'cached_db') else 'db'}"


def _hands_out(*strategies: str) -> bool:
    """Whether allauth's apps, where there are any, get their tokens by one of these."""
    clients = getattr(settings, "HEADLESS_CLIENTS", ("browser", "app"))
    if not apps.is_installed("allauth.headless") or "app" not in clients:
        return False
    used = import_string(getattr(settings, "HEADLESS_TOKEN_STRATEGY", SESSION_TOKENS))
    return issubclass(used, tuple(import_string(each) for each in strategies))


def _has_channels() -> bool:
    is_named = apps.is_installed("channels") or apps.is_installed("daphne")
    return is_named and find_spec("channels") is not None
