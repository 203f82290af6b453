"""The URL names of the app beside those of a project around it."""

from importlib import import_module
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.urls import get_resolver, include, path, reverse
from rest_framework.versioning import NamespaceVersioning
from rest_framework.views import APIView

from devices.core.notifications import emails
from devices.models import Notification, NotificationKind
from project.urls import urlpatterns as site
from tests.client import Device

TAKEN = [
    "devices", "devices-review", "devices-confirm", "devices-notifications", "list", "review",
    "sessions", "token",
]  # fmt: skip
SERVED = [
    "web.urls",
    "api.urls",
    "api.urls.login",
    "api.urls.tokens",
    "api.urls.staff",
    "api.urls.oauth",
    "api.urls.well_known",
]


class Theirs:
    """A project that has routes of the same names, before and behind ours."""

    theirs = [path(f"theirs/{name}", lambda request: HttpResponse(), name=name) for name in TAKEN]
    urlpatterns = [*theirs, *site, *theirs]


@pytest.mark.parametrize("kind", NotificationKind)
def test_mails_lead_to_our_pages_where_a_project_has_the_same_names(settings, kind):
    settings.ROOT_URLCONF = Theirs
    assert reverse("devices-review") == "/theirs/devices-review"
    notice = Notification(kind=kind, session_id=uuid4(), data={"challenge": str(uuid4())})
    told = "\n".join(emails.compose(notice))
    assert "/devices/" in told
    assert "/theirs/" not in told


@pytest.mark.parametrize("name", SERVED)
def test_each_include_has_a_namespace_of_its_own(settings, name):
    class Around:
        urlpatterns = [path("", include(f"devices.{name}"))]

    settings.ROOT_URLCONF = Around
    resolver = get_resolver()
    assert list(resolver.namespace_dict) == [import_module(f"devices.{name}").app_name]
    assert not [name for name in resolver.reverse_dict if isinstance(name, str)]


def test_no_namespace_is_taken_for_a_version_of_a_projects_api(alice, sign_in, monkeypatch):
    monkeypatch.setattr(APIView, "versioning_class", NamespaceVersioning)
    monkeypatch.setattr(NamespaceVersioning, "allowed_versions", ["v1"])
    phone = sign_in(alice)
    assert phone.get("/api/sessions").status_code == 200
    assert phone.get("/api/admin/stats").status_code == 403
    assert phone.post("/api/token/verify", {"token": phone.access}).status_code == 200
    told = {"email": alice.email, "password": "wrong"}
    assert Device().post("/api/token", told).status_code == 401
