"""Packages that send or store what is none of theirs to know, or that know nothing of sessions."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import include, path
from django.views import View
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView

from devices.admin_site import GuardedAdminSite
from devices.apps import GuardedAdminConfig
from devices.decorators import session_required


class Login(TokenObtainPairView):
    """A project's own, as SimpleJWT's documents have it."""


def of(package, name, base=APIView):
    """A view as another package has it, which is not installed."""
    return type(name, (base,), {"__module__": f"{package}"})


KNOX = of("knox.views", "LoginView")
MODERN_REST = of("dmr.security.jwt.views.body", "ObtainTokensSyncController")
PASSKEYS = of("passkeys.api.views", "AuthenticateVerifyAPIView")
DJ_REST_AUTH = of("dj_rest_auth.views", "LoginView")

urlpatterns = [path("login", Login.as_view())]
PLAIN = {"include_local_variables": False, "max_request_body_size": "never"}


def install(monkeypatch, package, without=()):
    """Have this package in INSTALLED_APPS, and of some others none."""
    is_installed = apps.is_installed
    monkeypatch.setattr(
        apps,
        "is_installed",
        lambda name: name == package or (name not in without and is_installed(name)),
    )


def reported_ids():
    return {each.id for each in run_checks(tags=["devices"])}


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({}, False),
        ({"include_local_variables": True}, True),
        ({"max_request_body_size": "medium"}, True),
        (None, False),
    ],
)
def test_sentry_gets_no_tokens(monkeypatch, changes, reported):
    client = SimpleNamespace(is_active=lambda: changes is not None, options=PLAIN | (changes or {}))
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace(get_client=lambda: client))
    assert ("devices.W136" in reported_ids()) is reported


def test_a_sentry_before_2_is_not_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace())
    assert "devices.W136" not in reported_ids()


OURS = "devices.contrib.oauth_toolkit"


class Validator:
    """In the place of ours, which needs the package."""


class Derived(Validator):
    pass


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({}, {"devices.W138"}),
        ({"OAUTH2_VALIDATOR_CLASS": "builtins.object"}, {"devices.W138"}),
        ({"OAUTH2_VALIDATOR_CLASS": f"{__name__}.Derived"}, {"devices.E139"}),
        (
            {
                "OAUTH2_VALIDATOR_CLASS": f"{OURS}.SessionValidator",
                "ACCESS_TOKEN_GENERATOR": f"{OURS}.make_token",
            },
            {"devices.E139"},
        ),
        (
            {
                "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Derived",
                "ACCESS_TOKEN_GENERATOR": f"{OURS}.make_token",
                "REFRESH_TOKEN_GENERATOR": "of.a.project",
            },
            set(),
        ),
    ],
)
def test_what_applications_get_ends_with_its_session(settings, monkeypatch, given, reported):
    monkeypatch.setitem(sys.modules, OURS, SimpleNamespace(SessionValidator=Validator))
    install(monkeypatch, "oauth2_provider")
    settings.OAUTH2_PROVIDER = given
    assert reported_ids() & {"devices.W138", "devices.E139"} == reported


class Confirm(View):
    """The page on which somebody approves a device, as the package has it."""


class Noting(Confirm):
    """In the place of ours, which needs the package."""


def provider(monkeypatch, *first, **given):
    """What is reported where these URLs come before those of the package."""
    ours = SimpleNamespace(SessionValidator=Validator, SessionDeviceConfirmView=Noting)
    monkeypatch.setitem(sys.modules, OURS, ours)
    install(monkeypatch, "oauth2_provider")
    confirm = path("device-confirm/<slug:a>/<slug:b>", Confirm.as_view(), name="device-confirm")
    metadata = path(".well-known/oauth-authorization-server", Confirm.as_view())
    urlconf = ModuleType("of_a_provider")
    urlconf.urlpatterns = [
        *first,
        path("o/", include(([confirm], "oauth2_provider"))),
        metadata,
        path(".well-known/", include("devices.api.urls.well_known")),
    ]
    given["OAUTH2_VALIDATOR_CLASS"] = f"{__name__}.Derived"
    with override_settings(ROOT_URLCONF=urlconf, OAUTH2_PROVIDER=given):
        return reported_ids() & {"devices.W175", "devices.E176"}


@pytest.mark.parametrize("setting", ["DCR_ENABLED", "CIMD_ENABLED"])
def test_agents_find_the_page_to_sign_in(monkeypatch, setting):
    services = path(".well-known/", include("devices.api.urls.well_known"))
    assert provider(monkeypatch, services, **{setting: True}) == {"devices.W175"}
    assert provider(monkeypatch, **{setting: True}) == set()
    assert provider(monkeypatch, services) == set()


def test_devices_that_are_approved_are_let_in(monkeypatch):
    used = {"OAUTH_DEVICE_VERIFICATION_URI": "https://shop.example.org/o/device/"}
    view = session_required(Noting.as_view())
    ours = path("o/device-confirm/<slug:a>/<slug:b>", view)
    assert provider(monkeypatch, **used) == {"devices.E176"}
    assert provider(monkeypatch, ours, **used) == set()
    assert provider(monkeypatch) == set()


@pytest.mark.parametrize(
    "package",
    ["django_otp", "allauth.mfa", "trench", "mfa", "django_mfa", "multifactor", "drf_jwt_2fa"],
)
@pytest.mark.parametrize(
    ("served", "factor", "reported"),
    [
        ("devices.api.urls.tokens", None, False),
        ("devices.api.urls.login", None, True),
        ("devices.contrib.cookies.urls.login", None, True),
        (__name__, None, True),
        ("devices.api.urls.login", "accounts.second_factor.Authenticators", False),
    ],
)
def test_the_api_asks_for_the_second_factors_of_other_packages(
    settings, monkeypatch, package, served, factor, reported
):
    install(monkeypatch, package, without={"django_otp", "allauth.mfa"})
    with override_settings(
        ROOT_URLCONF=served, DEVICES={**settings.DEVICES, "SECOND_FACTOR": factor}
    ):
        assert ("devices.W137" in reported_ids()) is reported


def only(view):
    """A URLconf that serves this view and no other."""
    urlconf = ModuleType("of_one_login")
    urlconf.urlpatterns = [path("login", view.as_view())]
    return urlconf


@pytest.mark.parametrize(
    ("view", "changes", "reported"),
    [
        (ObtainAuthToken, {}, True),
        (KNOX, {}, True),
        # A project's own, as knox's documents have it.
        (of("shop.views", "Login", KNOX), {}, True),
        (of("knox.views", "LogoutView"), {}, False),
        (of("drfpasswordless.views", "AbstractBaseObtainAuthToken"), {}, True),
        (of("durin.views", "LoginView"), {}, True),
        (of("drf_multitokenauth.views", "LoginAndObtainAuthToken"), {}, True),
        (of("allauth.idp.oidc.views", "TokenView"), {}, True),
        (DJ_REST_AUTH, {}, True),
        (DJ_REST_AUTH, {"REST_AUTH": {"TOKEN_MODEL": None}}, False),
        (DJ_REST_AUTH, {"REST_AUTH": {"USE_JWT": True}}, False),
        (MODERN_REST, {}, True),
        (Login, {}, False),
    ],
)
def test_logins_for_tokens_of_no_session_are_reported(view, changes, reported):
    with override_settings(ROOT_URLCONF=only(view), **changes):
        assert ("devices.W142" in reported_ids()) is reported


@pytest.mark.parametrize("use_jwt", [True, False])
def test_views_of_dj_rest_auth_are_seen_without_its_app(use_jwt):
    """A project may list `dj_rest_auth.registration` alone, and derive views from those for other sites."""
    view = type("GoogleLogin", (DJ_REST_AUTH,), {"__module__": "shop.views"})
    with override_settings(ROOT_URLCONF=only(view), REST_AUTH={"USE_JWT": use_jwt}):
        assert ({"devices.E131", "devices.W133"} <= reported_ids()) is use_jwt


def test_logins_by_graphql_for_tokens_of_no_session_are_reported(settings, monkeypatch):
    backend = type("JSONWebTokenBackend", (), {"__module__": "graphql_jwt.backends"})
    package = SimpleNamespace(JSONWebTokenBackend=backend)
    monkeypatch.setitem(sys.modules, "graphql_jwt", SimpleNamespace(backends=package))
    monkeypatch.setitem(sys.modules, "graphql_jwt.backends", package)
    assert "devices.W142" not in reported_ids()
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "graphql_jwt.backends.JSONWebTokenBackend",
    ]
    assert "devices.W142" in reported_ids()


def test_so_are_those_by_strawberry_django_auth(settings, monkeypatch):
    package = SimpleNamespace(django_jwt_middleware=lambda get_response: get_response)
    monkeypatch.setitem(sys.modules, "gqlauth.core.middlewares", package)
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "gqlauth.core.middlewares.django_jwt_middleware",
    ]
    assert "devices.W142" in reported_ids()


@pytest.mark.parametrize(
    ("package", "function", "reported"),
    [
        ("rest_framework_simplejwt", None, {"devices.E143"}),
        ("rest_framework.authtoken", None, {"devices.W142"}),
        ("rest_framework_simplejwt", "shop.passkeys.tokens", set()),
        # Then it signs in to Django's session, which is one of ours.
        ("of another kind", None, set()),
    ],
)
def test_passkeys_that_give_tokens_of_no_session_are_reported(
    settings, monkeypatch, package, function, reported
):
    install(monkeypatch, package, without={"rest_framework_simplejwt", "rest_framework.authtoken"})
    settings.PASSKEYS_API_TOKEN_BACKEND = function
    with override_settings(ROOT_URLCONF=only(PASSKEYS)):
        assert reported_ids() & {"devices.W142", "devices.E143"} == reported


@pytest.mark.parametrize(
    ("package", "name", "reported"),
    [
        ("trench.views.jwt", "MFASecondStepJWTView", {"devices.E143"}),
        ("trench.views.authtoken", "MFASecondStepAuthTokenView", {"devices.W142"}),
        ("trench.views", "MFASecondStepMixin", set()),
        ("rest_social_auth.views", "SocialJWTPairOnlyAuthView", {"devices.E143"}),
        ("drf_jwt_2fa.views", "ObtainAuthToken", {"devices.E143"}),
        ("rest_social_auth.views", "SocialKnoxOnlyAuthView", {"devices.W142"}),
        ("rest_social_auth.views", "SocialSessionAuthView", set()),
    ],
)
def test_logins_whose_tokens_are_refused_are_reported(package, name, reported):
    with override_settings(ROOT_URLCONF=only(of(package, name))):
        assert reported_ids() & {"devices.W142", "devices.E143"} == reported


@pytest.mark.parametrize("name", ["FetchFromCacheMiddleware", "CacheMiddleware"])
def test_a_cache_of_whole_pages_is_reported(settings, name):
    assert "devices.W144" not in reported_ids()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"django.middleware.cache.{name}"]
    assert "devices.W144" in reported_ids()


@pytest.mark.parametrize(
    ("adapter", "proof", "reported"),
    [
        ("allauth.account.adapter.DefaultAccountAdapter", "devices.contrib.allauth.proof_of", True),
        (None, "devices.contrib.allauth.proof_of", True),
        ("devices.contrib.allauth.AccountAdapter", "devices.contrib.allauth.proof_of", False),
        ("accounts.adapters.AccountAdapter", "devices.contrib.allauth.proof_of", False),
        (
            "allauth.account.adapter.DefaultAccountAdapter",
            "devices.web.cookie.proof_by_backend",
            False,
        ),
        ("allauth.account.adapter.DefaultAccountAdapter", None, False),
    ],
)
def test_an_adapter_that_hides_how_people_signed_in_is_reported(settings, adapter, proof, reported):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_PROOF": proof}
    settings.ACCOUNT_ADAPTER = adapter
    if adapter is None:
        del settings.ACCOUNT_ADAPTER
    assert ("devices.E147" in reported_ids()) is reported


@pytest.mark.parametrize(
    ("given", "classes", "reported"),
    [
        ({}, [], True),
        ({"LOGIN_AUTHENTICATE_SESSION": True}, [], False),
        ({}, ["rest_framework.authentication.SessionAuthentication"], False),
    ],
)
def test_a_logout_that_ends_no_session_is_reported(settings, given, classes, reported):
    view = of("rest_registration.api.views.login", "LogoutView")
    settings.REST_REGISTRATION = given
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_AUTHENTICATION_CLASSES": [
            *settings.REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"],
            *classes,
        ],
    }
    with override_settings(ROOT_URLCONF=only(view)):
        assert ("devices.W145" in reported_ids()) is reported


@pytest.mark.parametrize(
    ("given", "reported"),
    [({}, {"devices.W142"}), ({"OAUTH2_VALIDATOR_CLASS": f"{__name__}.Derived"}, {"devices.E143"})],
)
def test_logins_for_tokens_of_django_oauth_toolkit_are_reported(
    settings, monkeypatch, given, reported
):
    monkeypatch.setitem(sys.modules, OURS, SimpleNamespace(SessionValidator=Validator))
    install(monkeypatch, "oauth2_provider")
    settings.OAUTH2_PROVIDER = given
    with override_settings(ROOT_URLCONF=only(of("drf_social_oauth2.views", "ConvertTokenView"))):
        assert reported_ids() & {"devices.W142", "devices.E143"} == reported


class Theme(AdminSite):
    """As a theme puts it in the place of the site that the project has chosen."""


class Guarded(GuardedAdminSite, Theme):
    pass


@pytest.mark.parametrize(
    ("site", "config", "reported"),
    [
        (Theme(), GuardedAdminConfig, True),
        (Guarded(), GuardedAdminConfig, False),
        # A project that has not asked for the guard.
        (Theme(), AdminConfig, False),
    ],
)
def test_an_admin_that_has_lost_its_guard_is_reported(monkeypatch, site, config, reported):
    urlconf = ModuleType("of_an_admin")
    urlconf.urlpatterns = [path("admin/", site.urls)]
    found = [each for each in apps.get_app_configs() if not isinstance(each, AdminConfig)]
    theirs = config("django.contrib.admin", admin)
    monkeypatch.setattr(apps, "get_app_configs", lambda: [*found, theirs])
    with override_settings(ROOT_URLCONF=urlconf):
        assert ("devices.W146" in reported_ids()) is reported
