"""Packages that send or store what is none of theirs to know, or that know nothing of sessions."""

import sys
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView


class Login(TokenObtainPairView):
    """A project's own, as SimpleJWT's documents have it."""


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


@pytest.mark.parametrize("package", ["django_otp", "allauth.mfa"])
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
