"""Other sites to sign in with, as the environment names them."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.own_database

STORY = """
import json, django
django.setup()
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.test import RequestFactory
from allauth.socialaccount.models import SocialApp
from unittest import mock
with mock.patch.object(SocialApp.objects, "on_site", return_value=SocialApp.objects.none()):
    offered = get_adapter().list_providers(RequestFactory().get("/"))
    print(json.dumps({
        "offered": {each.sub_id: [each.name, each.app.client_id, each.app.secret] for each in offered},
        "forms": settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"],
        "server": [each.server_url for each in offered if each.id == "openid_connect"],
    }))
"""

GOOGLE = {"GOOGLE_CLIENT_ID": "g", "GOOGLE_CLIENT_SECRET": "gs"}
GITHUB = {"GITHUB_CLIENT_ID": "h", "GITHUB_CLIENT_SECRET": "hs"}
OIDC = {
    "OIDC_SERVER_URL": "https://login.example.org:8443/realms/main",
    "OIDC_CLIENT_ID": "o",
    "OIDC_CLIENT_SECRET": "os",
}


def site(**environment):
    done = subprocess.run(
        [sys.executable, "-c", STORY],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": "sqlite:///:memory:",
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_is_offered_once_it_has_an_id():
    found = site(**GOOGLE, **GITHUB, **OIDC, OIDC_NAME="Work")
    assert found == {
        "offered": {
            "google": ["Google", "g", "gs"],
            "github": ["GitHub", "h", "hs"],
            "oidc": ["Work", "o", "os"],
        },
        "forms": [
            "'self'",
            "https://accounts.google.com",
            "https://github.com",
            "https://login.example.org:8443",
        ],
        "server": ["https://login.example.org:8443/realms/main/.well-known/openid-configuration"],
    }


def test_without_an_id_none_is():
    assert site() == {"offered": {}, "forms": ["'self'"], "server": []}
