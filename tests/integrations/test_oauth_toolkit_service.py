"""A service with django-oauth-toolkit that introspects at the site, as docs/services.md has it."""

import time

import pytest
from django.core.management import call_command

from devices.core import service_clients
from devices.shortcuts import Client, end_session, start_session
from tests.hosts.project import run

from .shop import blocks

pytest.importorskip("oauth2_provider", reason="needs django-oauth-toolkit: make test-integrations")

PAGE = "services"
CLAIM, *SERVICE = sorted(blocks(PAGE), key=lambda block: block[0] != "shop/claims.py")
# What the page has as `shop.claims.username`.
shown: dict[str, object] = {"__name__": __name__}
exec(CLAIM[1], shown)
username = shown["username"]

SECRET = "a secret of reports"
MORE = """
INSTALLED_APPS += ["rest_framework", "oauth2_provider"]
"""
# One request: the status, and who is signed in.
ASKING = """
import sys
import django
django.setup()
from django.test import RequestFactory
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.permissions import IsAuthenticated

class View(APIView):
    permission_classes = [IsAuthenticated]
    def get(self, request):
        return Response(request.user.get_username())

request = RequestFactory(SERVER_NAME="localhost").get("/", headers={"Authorization": f"Bearer {sys.argv[1]}"})
answer = View.as_view()(request)
print(answer.status_code, answer.data if answer.status_code == 200 else "")
"""


@pytest.fixture
def ask(live_server, tmp_path, settings):
    """ask(token): the status of an answer of the service, and the name of its user."""
    clients = {"reports": {"secret": service_clients.digest(SECRET), "may": ["introspect"]}}
    more = {"SERVICE_CLIENTS": clients, "CLAIMS": f"{__name__}.username"}
    settings.DEVICES = {**settings.DEVICES, **more}
    call_command("startproject", "service", tmp_path)
    for path, text in [("service/settings.py", MORE), *SERVICE]:
        text = text.replace("https://example.org", live_server.url).replace("pX…", SECRET)
        with (tmp_path / path).open("a") as file:
            file.write(f"\n{text}")
    env = {"DJANGO_SETTINGS_MODULE": "service.settings"}
    run("manage.py", "migrate", "--verbosity", "0", cwd=tmp_path, **env)
    return lambda token: run("-c", ASKING, token, cwd=tmp_path, **env).strip()


def test_an_ended_session_is_refused(ask, make_user):
    alice = make_user("alice@example.org")
    tokens = start_session(Client("192.0.2.1", "curl"), alice)
    assert ask(tokens.access) == f"200 {alice.pk}"
    assert ask(tokens.refresh) == "401"
    end_session(tokens.session)
    time.sleep(1.1)
    assert ask(tokens.access) == "401"
