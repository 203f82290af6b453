#!/usr/bin/env bash
# Chromium and Django: a form on a page with the referrer policy "no-referrer" fails the CSRF check of its own site.
#
# Guess: a same-origin form with the right token passes: its Origin is that of the site. Only the Referer is missing, which
# Django asks for on HTTPS alone, and only where there is no Origin.
# Seen: by the Fetch standard such a form is sent with `Origin: null`, also to its own site, and Django compares that
# with the host: 403 "Origin checking failed", with the right token, on plain HTTP, too. `fetch()` of the same page sends
# its Origin, so that scripts pass where forms fail. `Sec-Fetch-Site: same-origin` tells both from a foreign site.
# Needs Chromium.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 playwright==1.62.0
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import shutil
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
)
django.setup()
logging.disable()

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.csrf import requires_csrf_token

seen = []


class Seen:
    """Notes what each POST says of where it comes from, and how Django answers."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        def note(status, headers, *args):
            if environ["REQUEST_METHOD"] == "POST":
                seen.append((environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE"), int(status[:3])))
            return start_response(status, headers, *args)

        return self.app(environ, note)


@requires_csrf_token
def page(request, policy):
    token = get_token(request)
    return HttpResponse(
        f'<!doctype html><meta name="referrer" content="{policy}"><form method="post" action="/form">'
        f'<input type="hidden" name="csrfmiddlewaretoken" value="{token}"><button>Send</button></form>'
    )


urlpatterns = [path("form", lambda request: HttpResponse("taken")), path("<policy>", page)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


server = make_server("127.0.0.1", 0, Seen(get_wsgi_application()), handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"

from playwright.sync_api import sync_playwright

SEND = """() => fetch("/form", {method: "POST", headers: {
    "X-CSRFToken": document.querySelector("input").value}}).then((answer) => answer.status)"""
found = {}
with sync_playwright() as playwright:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    print("Django", django.__version__, "Chromium", browser.version)
    for policy in ("same-origin", "no-referrer"):
        tab = browser.new_page()
        for how in ("form", "fetch"):
            tab.goto(f"{site}/{policy}")
            if how == "form":
                tab.get_by_role("button").click()
                tab.wait_for_url("**/form")
            else:
                tab.evaluate(SEND)
            found[policy, how] = origin, fetch_site, status = seen[-1]
            print(f"{policy:12} {how:5}  Origin: {origin}  Sec-Fetch-Site: {fetch_site}  -> {status}")
    browser.close()
assert all(site_said == "same-origin" for _, site_said, _ in found.values())
assert [found[key][2] for key in found] == [200, 200, 403, 200], found
assert found["no-referrer", "form"][0] == "null"
print("As seen: the form with the right token is refused, and fetch() of the same page is not.")
PYTHON
