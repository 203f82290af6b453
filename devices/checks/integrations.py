"""Other packages: whether logins by them start sessions, whether ours ask for their second factors, and
whether what they cache can be trusted."""

import sys
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework.authentication import SessionAuthentication

from devices.conf import Conf

from .paths import import_path
from .urls import serves, views

TOKENS = "devices.contrib.dj_rest_auth.tokens.SessionTokens"
DJ_REST_AUTH_URLS = "devices.contrib.dj_rest_auth.urls"
STRATEGY = "devices.contrib.djoser.TokenStrategy"
# djoser's own, which makes tokens of no session.
STOCK_STRATEGY = "djoser.social.token.jwt.TokenStrategy"

# What django-oauth-toolkit gives ends with its session by these.
VALIDATOR = "devices.contrib.oauth_toolkit.SessionValidator"
MAKE_TOKEN = "devices.contrib.oauth_toolkit.make_token"
GENERATORS = ("ACCESS_TOKEN_GENERATOR", "REFRESH_TOKEN_GENERATOR")
CONFIRM = "devices.contrib.oauth_toolkit.SessionDeviceConfirmView"
# Where clients look for an authorization server (RFC 8414), and what we have there for services.
METADATA = "/.well-known/oauth-authorization-server"
OURS = "devices.api.well_known.authorization_server"

# Packages that store second factors, which a login asks for by SECOND_FACTOR only.
FACTORS = (
    "django_otp",
    "allauth.mfa",
    "trench",
    "mfa",  # django-mfa2 and django-mfa3
    "django_mfa",
    "multifactor",  # django-multifactor
    "drf_jwt_2fa",
)
# Views that take a password for tokens.
LOGINS = (
    "rest_framework_simplejwt.views.TokenObtainPairView",
    "devices.contrib.cookies.views.CookieLoginView",
)
# How the import paths begin of views that give tokens of their own for a password, a code or a key.
TOKEN_LOGINS = {
    "rest_framework.authtoken.views.ObtainAuthToken": "rest_framework.authtoken",
    "knox.views.LoginView": "django-rest-knox",
    "drfpasswordless.views.AbstractBaseObtainAuthToken": "drfpasswordless",
    "durin.views.LoginView": "django-rest-durin",
    "drf_multitokenauth.views.LoginAndObtainAuthToken": "drf-multitokenauth",
    "djoser.views.TokenCreateView": "djoser",
    "djoser.webauthn.views.LoginView": "djoser.webauthn",
    "rest_social_auth.views.SocialToken": "rest-social-auth",
    "rest_social_auth.views.SocialKnox": "rest-social-auth",
    "trench.views.authtoken.": "django-trench",
    "allauth.idp.oidc.views.TokenView": "allauth.idp.oidc",
    "dmr.security.jwt.views.body.ObtainTokens": "django-modern-rest",
    "dmr.security.jwt.views.cookie.CookieObtainTokens": "django-modern-rest",
    "dmr.security.token.views.ObtainToken": "django-modern-rest",
}
GRAPHQL_JWT = "graphql_jwt.backends.JSONWebTokenBackend"
GQLAUTH = "gqlauth.core.middlewares.django_jwt_middleware"
# The same of views that make SimpleJWT's tokens by `for_user`.
JWT_LOGINS = {
    "rest_social_auth.views.SocialJWT": "rest-social-auth",
    "trench.views.jwt.": "django-trench",
    "drf_jwt_2fa.views.ObtainAuthToken": "drf-jwt-2fa",
}
START = (
    "Have people sign in by SimpleJWT's views or devices.api.urls.login, or call start_session of "
    "devices.shortcuts in a view of yours; see docs/integrations/index.md."
)
# It takes SimpleJWT's or authtoken's, whichever is installed, if no function is named.
PASSKEYS = "passkeys.api.views.AuthenticateVerifyAPIView"
# By the second, the first knows that somebody signs in through allauth.
PROOF = "devices.contrib.allauth.proof_of"
ADAPTER = "devices.contrib.allauth.AccountAdapter"
STOCK_ADAPTER = "allauth.account.adapter.DefaultAccountAdapter"
# Its tokens are django-oauth-toolkit's.
SOCIAL_OAUTH2 = {"drf_social_oauth2.views.ConvertTokenView": "drf-social-oauth2"}


def check() -> Iterator[CheckMessage]:
    """Check logins by other packages, the tokens that they make, what they cache, and what Sentry is sent."""
    classes = (getattr(view, "cls", None) for view in views())
    served = {import_path(cls) for cls in classes if isinstance(cls, type)}
    if apps.is_installed("dj_rest_auth") or serves("dj_rest_auth."):
        yield from _dj_rest_auth(getattr(settings, "REST_AUTH", None) or {}, served)
    strategy = getattr(settings, "DJOSER", {}).get("SOCIAL_AUTH_TOKEN_STRATEGY", STOCK_STRATEGY)
    if "djoser.social.views.ProviderAuthView" in served and strategy == STOCK_STRATEGY:
        yield Error(
            "djoser's social logins issue tokens without a session.",
            hint=f"Set DJOSER['SOCIAL_AUTH_TOKEN_STRATEGY'] to {STRATEGY}.",
            id="devices.E132",
        )
    factors = [name for name in FACTORS if apps.is_installed(name)]
    if factors and Conf().SECOND_FACTOR is None and serves(*LOGINS):
        yield checks.Warning(
            f"The API signs people in with their password alone, whatever second factor {factors[0]} has.",
            hint="Set DEVICES['SECOND_FACTOR'] and LOGIN_PROOF as docs/step-up.md says, or serve no login by "
            "password.",
            id="devices.W137",
        )
    if apps.is_installed("oauth2_provider"):
        yield from _oauth_toolkit(getattr(settings, "OAUTH2_PROVIDER", None) or {})
    if getattr(settings, "DEVICES", {}).get("LOGIN_PROOF") == PROOF:
        adapter = import_string(getattr(settings, "ACCOUNT_ADAPTER", STOCK_ADAPTER))
        if not issubclass(adapter, import_string(ADAPTER)):
            yield Error(
                "Logins with allauth count as logins by password alone, whatever second factor, passkey or "
                "other site people signed in with.",
                hint=f"Derive {import_path(adapter)} from {ADAPTER}, or set ACCOUNT_ADAPTER to it.",
                id="devices.E147",
            )
    if apps.is_installed("cacheops"):
        profile = import_string("cacheops.conf.model_profile")
        ours = apps.get_app_config("devices").get_models()
        if any(given and given["ops"] for given in map(profile, ours)):
            yield Error(
                "django-cacheops caches the queries for sessions, and does not notice when they change.",
                hint='Set CACHEOPS["devices.*"] to None.',
                id="devices.E135",
            )
    if names := sorted(_token_logins(served)):
        yield checks.Warning(
            f"Logins by {', '.join(names)} give tokens of no session: no list shows them, and a sign-out "
            "everywhere or a new password does not end them.",
            hint=START,
            id="devices.W142",
        )
    if names := sorted(_jwt_logins()):
        yield Error(
            f"Logins by {', '.join(names)} give tokens of no session, which the API refuses.",
            hint=START,
            id="devices.E143",
        )
    if "rest_registration.api.views.login.LogoutView" in served and not _signs_in_cookies():
        yield checks.Warning(
            "Logins by django-rest-registration give no tokens, and its logout ends no session.",
            hint="Have apps sign in by SimpleJWT's views, and out by DELETE …/sessions/current.",
            id="devices.W145",
        )
    if names := sorted(_unguarded()):
        yield checks.Warning(
            f"An admin is served that does not keep staff from users above them: {', '.join(names)}.",
            hint="Derive its class from devices.admin_site.GuardedAdminSite, and name it as the default_site "
            "of an AdminConfig that derives from devices.apps.GuardedAdminConfig; see docs/staff.md.",
            id="devices.W146",
        )
    if _sends_tokens():
        yield checks.Warning(
            "Sentry gets passwords and tokens: they are in the local variables and the bodies of requests "
            "that it sends with errors.",
            hint="Give sentry_sdk.init include_local_variables=False and max_request_body_size='never'.",
            id="devices.W136",
        )


def _unguarded() -> set[str]:
    """The classes of admins without our guard, in a project that has taken it: themes replace the site."""
    taken = import_string("devices.apps.GuardedAdminConfig")
    if not any(isinstance(config, taken) for config in apps.get_app_configs()):
        return set()
    guarded = import_string("devices.admin_site.GuardedAdminSite")
    sites = (getattr(view, "admin_site", None) for view in views())
    return {import_path(type(site)) for site in sites if site and not isinstance(site, guarded)}


def _signs_in_cookies() -> bool:
    """Whether django-rest-registration signs in and out by Django's cookie, whose sessions we know."""
    given = getattr(settings, "REST_REGISTRATION", {}).get("LOGIN_AUTHENTICATE_SESSION")
    defaults: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    return bool(SessionAuthentication in defaults if given is None else given)


def _token_logins(served: set[str]) -> set[str]:
    """The packages by which people can sign in for tokens that are none of a session."""
    names = _packages(TOKEN_LOGINS)
    given = getattr(settings, "REST_AUTH", None) or {}
    is_token = not given.get("USE_JWT") and given.get("TOKEN_MODEL", "default") is not None
    if "dj_rest_auth.views.LoginView" in served and is_token:
        names.add("dj-rest-auth")
    backends = (import_string(name) for name in settings.AUTHENTICATION_BACKENDS)
    if any(import_path(base) == GRAPHQL_JWT for each in backends for base in each.__mro__):
        names.add("django-graphql-jwt")
    if GQLAUTH in settings.MIDDLEWARE:
        names.add("strawberry-django-auth")
    is_installed = apps.is_installed
    if is_installed("rest_framework.authtoken") and not is_installed("rest_framework_simplejwt"):
        names |= _passkeys()
    return names if _has_validator() else names | _packages(SOCIAL_OAUTH2)


def _jwt_logins() -> set[str]:
    """The packages by which people can sign in for tokens that our classes refuse, being of no session."""
    names = _packages(JWT_LOGINS)
    if apps.is_installed("rest_framework_simplejwt"):
        names |= _passkeys()
    return names | _packages(SOCIAL_OAUTH2) if _has_validator() else names


def _packages(by_view: dict[str, str]) -> set[str]:
    return {package for view, package in by_view.items() if serves(view)}


def _passkeys() -> set[str]:
    is_named = getattr(settings, "PASSKEYS_API_TOKEN_BACKEND", None)
    return set() if is_named else _packages({PASSKEYS: "django-passkeys"})


def _sends_tokens() -> bool:
    """Whether Sentry is in use, and sends more than where an error happened."""
    # sentry-sdk 1 has no such function.
    get_client: Any = getattr(sys.modules.get("sentry_sdk"), "get_client", None)
    if get_client is None or not get_client().is_active():
        return False
    given = get_client().options
    return bool(given["include_local_variables"] or given["max_request_body_size"] != "never")


def _dj_rest_auth(given: dict[str, Any], served: set[str]) -> Iterator[CheckMessage]:
    if not given.get("USE_JWT"):
        return
    name = given.get("JWT_TOKEN_CLAIMS_SERIALIZER", "")
    if not name or not issubclass(import_string(name), import_string(TOKENS)):
        yield Error(
            "dj-rest-auth issues tokens without a session, which the API refuses.",
            hint=f"Set REST_AUTH['JWT_TOKEN_CLAIMS_SERIALIZER'] to {TOKENS}.",
            id="devices.E131",
        )
    if given.get("SESSION_LOGIN", True):
        yield checks.Warning(
            "Each login by dj-rest-auth starts two sessions: one for the tokens, one for Django's cookie.",
            hint="Set REST_AUTH['SESSION_LOGIN'] to False.",
            id="devices.W133",
        )
    if "dj_rest_auth.views.LogoutView" in served:
        yield checks.Warning(
            "Logout by dj-rest-auth does not end the session.",
            hint=f"Include {DJ_REST_AUTH_URLS} in place of dj_rest_auth.urls.",
            id="devices.W134",
        )


def _has_validator() -> bool:
    """Whether what django-oauth-toolkit gives ends with a session."""
    given = getattr(settings, "OAUTH2_PROVIDER", None) or {}
    name = given.get("OAUTH2_VALIDATOR_CLASS")
    if not name or not apps.is_installed("oauth2_provider"):
        return False
    return issubclass(import_string(name), import_string(VALIDATOR))


def _oauth_toolkit(given: dict[str, Any]) -> Iterator[CheckMessage]:
    if not _has_validator():
        yield checks.Warning(
            "What django-oauth-toolkit gives to applications outlives the session: they go on after a "
            "sign-out everywhere.",
            hint=f"Set OAUTH2_PROVIDER['OAUTH2_VALIDATOR_CLASS'] to {VALIDATOR} or a subclass of it.",
            id="devices.W138",
        )
    elif missing := [each for each in GENERATORS if not given.get(each)]:
        yield Error(
            "django-oauth-toolkit's tokens name no session, so that each is refused.",
            hint=f"Set OAUTH2_PROVIDER's {' and '.join(missing)} to {MAKE_TOKEN}.",
            id="devices.E139",
        )
    if (given.get("DCR_ENABLED") or given.get("CIMD_ENABLED")) and _is_for_services():
        yield checks.Warning(
            f"{METADATA} is ours, which names no page to sign in: clients that register themselves at "
            "django-oauth-toolkit, such as agents (MCP), do not find it.",
            hint="Put oauth2_provider.urls.metadata_urlpatterns before devices.api.urls.well_known.",
            id="devices.W175",
        )
    if given.get("OAUTH_DEVICE_VERIFICATION_URI") and _has_validator() and not _notes_approvals():
        yield Error(
            "Devices that somebody approves at django-oauth-toolkit's page are refused with access_denied.",
            hint=f"Serve {CONFIRM} at device-confirm/, before oauth2_provider.urls.",
            id="devices.E176",
        )


def _is_for_services() -> bool:
    """Whether the metadata of the site are those of ours."""
    try:
        return bool(resolve(METADATA).func == import_string(OURS))
    except Resolver404:
        return False


def _notes_approvals() -> bool:
    """Whether the page on which people approve a device is ours, if there is one."""
    try:
        url = reverse("oauth2_provider:device-confirm", args=["client", "code"])
        view = resolve(url.replace(get_script_prefix(), "/", 1)).func
    except (NoReverseMatch, Resolver404):
        return True
    return issubclass(getattr(view, "view_class", object), import_string(CONFIRM))
