#!/usr/bin/env bash
# djangosaml2: a single logout by POST ends nothing in a browser, and everybody is told that it did.
#
# Guess: djangosaml2 offers both bindings for its single logout service (`saml2/ls/` by redirect, `saml2/ls/post/` by POST) and
# has a cookie of its own with SameSite=None, so that messages which the identity provider posts find the login. So both
# end Django's session.
# Seen: its own cookie comes with the provider's POST, Django's session cookie (SameSite=Lax by default) does not. The view
# finds the subject, answers the provider `Success`, and calls Django's logout for a request in which nobody is signed in.
# The next page shows the user signed in. By redirect it works.
#
# Needs Chromium, xmlsec1 and openssl (Debian: chromium, xmlsec1, openssl); the package playwright drives the browser.
command -v xmlsec1 >/dev/null || { echo "needs xmlsec1"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" django==5.2.19 djangosaml2==1.12.0 pysaml2==7.5.5
cd "$FOLDER"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=lab 2>/dev/null
"$python" - <<'PYTHON'
import os
import socketserver
import sys
import threading
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
import saml2
from django.conf import settings
from playwright.sync_api import sync_playwright
from saml2.authn_context import PASSWORD
from saml2.config import IdPConfig, SPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server

FOLDER = os.environ["FOLDER"]
REDIRECT, POST = saml2.BINDING_HTTP_REDIRECT, saml2.BINDING_HTTP_POST


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def serve(application):
    server = make_server("", 0, application, Threaded, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


site = serve(lambda *args: django_app(*args))
provider = serve(lambda *args: provider_app(*args))
# Two sites: browsers compare the host, not the port.
SITE, PROVIDER = f"http://localhost:{site.server_port}", f"http://127.0.0.1:{provider.server_port}"
common = {"key_file": "key.pem", "cert_file": "cert.pem", "xmlsec_binary": "/usr/bin/xmlsec1"}
sp = {
    **common, "entityid": SITE, "allow_unknown_attributes": True,
    "service": {"sp": {
        "endpoints": {
            "assertion_consumer_service": [(SITE + "/saml2/acs/", POST)],
            "single_logout_service": [(SITE + "/saml2/ls/", REDIRECT), (SITE + "/saml2/ls/post/", POST)],
        },
        "allow_unsolicited": True, "authn_requests_signed": False, "logout_requests_signed": True,
        "want_response_signed": False, "want_assertions_signed": True,
    }},
}
idp = {
    **common, "entityid": PROVIDER,
    "service": {"idp": {
        "endpoints": {
            "single_sign_on_service": [(PROVIDER + "/sso", REDIRECT)],
            "single_logout_service": [(PROVIDER + "/slo", REDIRECT), (PROVIDER + "/slo", POST)],
        },
        "policy": {"default": {"lifetime": {"minutes": 15}, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"}},
        "sign_assertion": True,
    }},
}
for name, config, load in (("sp", sp, SPConfig), ("idp", idp, IdPConfig)):
    with open(name + ".xml", "w") as file:
        file.write(str(entity_descriptor(load().load(config))))
sp["metadata"], idp["metadata"] = {"local": ["idp.xml"]}, {"local": ["sp.xml"]}
server = Server(config=IdPConfig().load(idp))
name_id = NameID(format=NAMEID_FORMAT_PERSISTENT, sp_name_qualifier=SITE, text="alice")
answers = []


def provider_app(environ, start_response):
    """A provider whose pages log alice in, and log her out everywhere."""
    query = environ["QUERY_STRING"]
    if environ["REQUEST_METHOD"] == "POST":
        query = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    data = {key: values[0] for key, values in parse_qs(query).items()}
    path = environ["PATH_INFO"]
    if path == "/login":
        message = server.create_authn_response(
            {"uid": ["alice"]}, None, SITE + "/saml2/acs/", SITE, name_id=name_id,
            authn={"class_ref": PASSWORD, "authn_auth": PROVIDER}, sign_assertion=True,
        )
        shown = server.apply_binding(POST, str(message), SITE + "/saml2/acs/", "/", response=True)
    elif path in ("/out-by-post", "/out-by-redirect"):
        binding, end = (POST, "/saml2/ls/post/") if path == "/out-by-post" else (REDIRECT, "/saml2/ls/")
        _, message = server.create_logout_request(SITE + end, SITE, name_id=name_id, sign=binding == POST)
        shown = server.apply_binding(binding, str(message), SITE + end, "/", sign=binding == REDIRECT)
    elif "SAMLResponse" in data:
        binding = POST if environ["REQUEST_METHOD"] == "POST" else REDIRECT
        status = server.parse_logout_request_response(data["SAMLResponse"], binding).response.status
        answers.append(status.status_code.value.rpartition(":")[2])
        shown = {"status": 200, "headers": [], "data": "signed out everywhere"}
    else:
        shown = {"status": 404, "headers": [], "data": ""}
    body = shown["data"] if isinstance(shown["data"], str) else "".join(shown["data"])
    start_response(f"{shown['status']} OK", [("Content-Type", "text/html"), *[
        header for header in shown["headers"] if header[0] != "Content-type"]])
    return [body.encode()]


settings.configure(
    DEBUG=True, SECRET_KEY="lab" * 20, ROOT_URLCONF="lab_urls", ALLOWED_HOSTS=["localhost"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "djangosaml2"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
        "djangosaml2.middleware.SamlSessionMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER + "/db.sqlite3"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    AUTHENTICATION_BACKENDS=["djangosaml2.backends.Saml2Backend"],
    SESSION_COOKIE_SECURE=True, LOGIN_REDIRECT_URL="/", LOGOUT_REDIRECT_URL="/", USE_TZ=True,
    SAML_ATTRIBUTE_MAPPING={"uid": ("username",)}, SAML_CONFIG=sp, LOGGING_CONFIG=None, SAML_CSP_HANDLER="",
)
django.setup()
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402

urls = type(sys)("lab_urls")
urls.urlpatterns = [
    path("", lambda request: HttpResponse(request.user.get_username() or "nobody")),
    path("saml2/", include("djangosaml2.urls")),
]
sys.modules["lab_urls"] = urls
call_command("migrate", verbosity=0)
django_app = get_wsgi_application()

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    print("Chromium", browser.version, "django", django.__version__, "djangosaml2 1.12.0, pysaml2 7.5.5")
    seen = {}
    for name in ("redirect", "post"):
        page = browser.new_context().new_page()
        page.goto(PROVIDER + "/login")
        page.wait_for_url(SITE + "/")
        before = page.inner_text("body")
        page.goto(f"{PROVIDER}/out-by-{name}")
        page.wait_for_url(PROVIDER + "/slo*")
        page.goto(SITE + "/")
        seen[name] = (before, answers.pop(), page.inner_text("body"))
        print(f"logout by {name} | before, answer to the provider, after:", *seen[name])
    browser.close()
assert seen["redirect"] == ("alice", "Success", "nobody")
assert seen["post"] == ("alice", "Success", "alice")
print("As seen: a single logout by POST leaves Django's session.")
PYTHON
