"""Views are looked for in every URLconf: packages choose another one by the tenant, or by the host."""

import sys
import types

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.urls import clear_url_caches, include, path
from rest_framework.authentication import BaseAuthentication, BasicAuthentication
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.serializers import TokenRefreshSerializer
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from devices.api.authentication import DeviceSessionAuthentication
from devices.checks import check_settings


class Old(APIView):
    authentication_classes = [JWTAuthentication]


PUBLIC = types.ModuleType("public_urls")
PUBLIC.urlpatterns = [path("old", Old.as_view())]


@pytest.fixture(autouse=True)
def a_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "public_urls", PUBLIC)
    yield
    clear_url_caches()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_SCHEMA_URLCONF", "public_urls"),
        ("TENANT_TYPES", {"public": {"APPS": [], "URLCONF": "public_urls"}, "shop": {"APPS": []}}),
    ],
)
def test_the_urls_of_tenants_are_checked(settings, name, value):
    setattr(settings, name, value)
    assert [message.id for message in check_settings()] == ["devices.E047"]


def test_the_urls_of_hosts_are_checked(settings, monkeypatch):
    resolvers = types.ModuleType("django_hosts.resolvers")
    resolvers.get_host_patterns = lambda: [types.SimpleNamespace(urlconf="public_urls")]
    for module in (types.ModuleType("django_hosts"), resolvers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_HOSTCONF = "hosts"
    assert check_settings() == []
    monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name == "django_hosts")
    assert "devices.E047" in [message.id for message in check_settings()]


def test_an_api_with_a_language_in_its_path_is_said(settings, monkeypatch):
    """LocaleMiddleware redirects POST /api/token to /en/api/token, where it arrives as a GET."""
    module = types.ModuleType("translated_urls")
    module.urlpatterns = i18n_patterns(path("api/", include("devices.api.urls")))
    monkeypatch.setitem(sys.modules, "translated_urls", module)
    settings.PUBLIC_SCHEMA_URLCONF = "translated_urls"
    assert [message.id for message in check_settings()] == ["devices.W029"]
    module.urlpatterns = i18n_patterns(path("devices/", include("devices.web.urls")))
    clear_url_caches()
    assert check_settings() == []


def test_a_view_in_two_urlconfs_is_reported_once(settings):
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = "public_urls"
    found = [message.id for message in check_settings()]
    assert found.count("devices.E047") == 1


def test_a_view_at_two_paths_is_reported_once(settings, monkeypatch):
    twice = types.ModuleType("twice_urls")
    twice.urlpatterns = [*PUBLIC.urlpatterns, path("again/", include(PUBLIC.urlpatterns))]
    monkeypatch.setitem(sys.modules, "twice_urls", twice)
    settings.ROOT_URLCONF = "twice_urls"
    assert [message.id for message in check_settings()].count("devices.E047") == 1


def asking(held: object, where: str) -> type[BaseAuthentication]:
    """An authentication class that asks another one, as those for tokens and keys of an API do."""

    class Composite(BaseAuthentication):
        def __init__(self):
            if where == "made":
                self.by_token = held

    if where == "named":
        Composite.by_token = held
    return Composite


@pytest.mark.parametrize("where", ["named", "made"])
@pytest.mark.parametrize(
    ("held", "in_view", "by_default"),
    [
        (JWTAuthentication, ["E047"], ["E001"]),
        (JWTAuthentication(), ["E047"], ["E001"]),
        ([BasicAuthentication, JWTAuthentication], ["E051", "E047"], ["E001", "E051"]),
        (DeviceSessionAuthentication(), [], []),
        ([DeviceSessionAuthentication], [], []),
        (object(), [], ["W084"]),
    ],
    ids=["a class", "an object", "a list", "ours", "ours in a list", "others"],
)
def test_a_class_that_asks_another_is_as_good_as_that(
    settings, monkeypatch, held, where, in_view, by_default
):
    def found():
        return [message.id.removeprefix("devices.") for message in check_settings()]

    cls = asking(held, where)
    view = type("View", (APIView,), {"authentication_classes": [cls]})
    monkeypatch.setattr(PUBLIC, "urlpatterns", [path("new", view.as_view())])
    clear_url_caches()
    settings.PUBLIC_SCHEMA_URLCONF = "public_urls"
    assert found() == in_view
    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", [cls])
    assert found() == by_default


class ApiToken(RefreshToken):
    token_type = "api"


@pytest.mark.parametrize(
    ("token_class", "expected"), [(RefreshToken, ["devices.E038"]), (ApiToken, [])]
)
def test_tokens_of_another_type_are_no_logins(settings, monkeypatch, token_class, expected):
    """Such as keys of a year for programs, which a view exchanges for access tokens of their own type."""
    serializer = type("Exchange", (TokenRefreshSerializer,), {"token_class": token_class})
    view = type("View", (TokenViewBase,), {"serializer_class": serializer})
    monkeypatch.setattr(PUBLIC, "urlpatterns", [path("exchange", view.as_view())])
    clear_url_caches()
    settings.PUBLIC_SCHEMA_URLCONF = "public_urls"
    assert [message.id for message in check_settings()] == expected
