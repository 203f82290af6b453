#!/usr/bin/env bash
# DRF, Chromium: with a bearer token somebody sees what the browser has cached for the person before.
#
# Guess: an answer to a request with `Authorization` belongs to that token; with another one the browser asks again, as
# it does with another cookie, for which Django says `Vary: Cookie`.
# Seen: DRF says `Vary: Accept` only, whichever authentication it used, and Chromium's cache is as good for every
# token. A view with `cache_control(private=True, max_age=60)` shows the first person's answer to the second, who signed
# in in the same browser within the minute, and also to a request without a token. `vary_on_headers("Authorization")`,
# or `no-store`, prevents it.
#
# Needs Chromium (Debian: chromium); the package playwright drives it.
source "$(dirname "$0")/chromium_lab.sh" Django==5.2.19 djangorestframework==3.18.3 djangorestframework-simplejwt==5.5.1
"$python" - <<'PYTHON'
import os
import threading
from importlib.metadata import version
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_headers
from playwright.sync_api import sync_playwright
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import AccessToken


@api_view()
def me(request):
    return Response(f"person {request.user.id}")


cached = cache_control(private=True, max_age=60)(me)
urlpatterns = [
    path("", lambda request: HttpResponse("<!doctype html><link rel=icon href=data:,>")),
    path("me", cached),
    path("me/vary", vary_on_headers("Authorization")(cached)),
]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def token(number):
    access = AccessToken()
    access["user_id"] = str(number)
    return f"Bearer {access}"


server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
ASK = """([path, token]) => fetch(path, {headers: token ? {Authorization: token} : {}})
    .then(async answer => [answer.status, await answer.json(), answer.headers.get("Vary")])"""
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-background-networking"]
    )
    names = ("Django", "djangorestframework", "djangorestframework-simplejwt")
    print(*(f"{name} {version(name)}" for name in names), "Chromium", browser.version)
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    seen = {}
    for route in ("/me", "/me/vary"):
        answers = [page.evaluate(ASK, [route, each]) for each in (token(1), token(2), None)]
        seen[route] = [said if status == 200 else status for status, said, _ in answers]
        print(f"{route}, Vary: {answers[0][2]}: person 1, then person 2, then nobody: {seen[route]}")
    browser.close()
assert seen == {
    "/me": ["person 1", "person 1", "person 1"],
    "/me/vary": ["person 1", "person 2", 401],
}, "the behaviour has changed"
PYTHON
