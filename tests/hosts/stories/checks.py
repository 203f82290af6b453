"""`manage.py check` says what is wrong in projects that are set up wrongly, and nothing in right ones."""

import contextlib
import io
import sqlite3
import types
from copy import deepcopy
from functools import cached_property
from unittest.mock import patch

import django
from django.conf import LazySettings, global_settings, settings
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import TestCase, override_settings
from rest_framework_simplejwt import settings as simplejwt
from rest_framework_simplejwt import state
from rest_framework_simplejwt import tokens as simplejwt_tokens

from devices.conf import Conf
from devices.core import tokens

STOCK = "rest_framework_simplejwt"
OURS = "devices.web.middleware.DeviceMiddleware"


def policy(user, session):
    """For SESSION_POLICY, which is called like this."""


def claims(session):
    """For CLAIMS."""


class LDAPBackend:
    """By its path that of a package, which is not there."""

    __module__ = "django_auth_ldap.backend"

    def authenticate(self, request, username=None, password=None, **kwargs):
        return None


def urls(code: str) -> str:
    """Settings with a URLconf that has some more in it."""
    return f"""
ROOT_URLCONF = types.ModuleType("more_urls")
exec('''
from stranger.urls import *
from django.urls import path
from rest_framework.views import APIView
urlpatterns = list(urlpatterns)
{code}
''', vars(ROOT_URLCONF))
"""


RS256 = """
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
pair = generate_private_key(65537, 2048)
SIMPLE_JWT |= {
    "ALGORITHM": "RS256",
    "SIGNING_KEY": pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}
public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
"""
COOKIE_URLS = urls("""
from django.urls import include
urlpatterns += [path("api/", include("devices.contrib.cookies.urls"))]""")

WRONG = {
    "SimpleJWT's authentication beside ours": (
        "E001",
        f'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].append("{STOCK}.authentication.JWTAuthentication")',
    ),
    "stateless users beside ours": (
        "E001",
        "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']"
        f'.insert(0, "{STOCK}.authentication.JWTStatelessUserAuthentication")',
    ),
    "no authentication of ours": (
        "W084",
        'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = '
        '["rest_framework.authentication.SessionAuthentication"]',
    ),
    "SimpleJWT's authentication on one view": (
        "E047",
        urls(f"""
from {STOCK}.authentication import JWTAuthentication
class Old(APIView):
    authentication_classes = [JWTAuthentication]
urlpatterns += [path("old", Old.as_view())]"""),
    ),
    "SimpleJWT's authentication in as_view()": (
        "E047",
        urls(f"""
from {STOCK}.authentication import JWTStatelessUserAuthentication as Stateless
urlpatterns += [path("old", APIView.as_view(authentication_classes=[Stateless]))]"""),
    ),
    "a class that reads a cookie, derived from SimpleJWT's": (
        "E047",
        urls(f"""
from {STOCK}.authentication import JWTAuthentication
class ByCookie(JWTAuthentication):
    pass
class Old(APIView):
    authentication_classes = [ByCookie]
urlpatterns += [path("old", Old.as_view())]"""),
    ),
    "SimpleJWT's authentication by a method": (
        "E047",
        urls(f"""
from {STOCK}.authentication import JWTAuthentication
class Old(APIView):
    def get_authenticators(self):
        return [JWTAuthentication()]
urlpatterns += [path("old", Old.as_view())]"""),
    ),
    "a password with each request, where there is a second factor": (
        "E051",
        """
DEVICES = {"SECOND_FACTOR": "stories.acting.Factor"}
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].append("rest_framework.authentication.BasicAuthentication")""",
    ),
    "a login by a password in the header, where there is a second factor": (
        "E051",
        urls("""
from rest_framework.authentication import BasicAuthentication
urlpatterns += [path("knox", APIView.as_view(authentication_classes=[BasicAuthentication]))]""")
        + """
DEVICES = {"SECOND_FACTOR": "stories.acting.Factor"}""",
    ),
    "a refresh view with SimpleJWT's serializer": (
        "E038",
        urls(f"""
from {STOCK}.serializers import TokenRefreshSerializer
from {STOCK}.views import TokenRefreshView
urlpatterns += [path("r", TokenRefreshView.as_view(serializer_class=TokenRefreshSerializer))]"""),
    ),
    "a verify view with SimpleJWT's serializer": (
        "E038",
        urls(f"""
from {STOCK}.serializers import TokenVerifySerializer
from {STOCK}.views import TokenVerifyView
class Verify(TokenVerifyView):
    serializer_class = TokenVerifySerializer
urlpatterns += [path("v", Verify.as_view())]"""),
    ),
    "a view of its own with SimpleJWT's serializer": (
        "E038",
        urls(f"""
from {STOCK}.serializers import TokenVerifySerializer
from rest_framework.generics import GenericAPIView
class Verify(GenericAPIView):
    serializer_class = TokenVerifySerializer
urlpatterns += [path("v", Verify.as_view())]"""),
    ),
    "sliding tokens": (
        "E038",
        urls(f"""
from {STOCK}.views import token_obtain_sliding
urlpatterns += [path("s", token_obtain_sliding)]"""),
    ),
    "SimpleJWT's own serializer in the settings": (
        "E002",
        'del SIMPLE_JWT["TOKEN_REFRESH_SERIALIZER"]',
    ),
    "Django's backend first": (
        "E039",
        'AUTHENTICATION_BACKENDS.insert(0, "django.contrib.auth.backends.ModelBackend")',
    ),
    "a directory first": (
        "E039",
        'AUTHENTICATION_BACKENDS.insert(0, "stories.checks.LDAPBackend")',
    ),
    "Django's backend only": (
        "W003",
        'AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]',
    ),
    "no middleware of ours": ("E024", f'MIDDLEWARE.remove("{OURS}")'),
    "our middleware last, behind one of the project": (
        "E025",
        f"""
MIDDLEWARE.remove("{OURS}")
MIDDLEWARE += ["stories.cookies.curious", "{OURS}"]""",
    ),
    "a rule that is not there": ("E040", 'DEVICES = {"RISK_RULES": ["stranger.rules.unusual"]}'),
    "a place that is not there": ("E040", 'DEVICES = {"GEO_BACKEND": "devices.geo.Nowhere"}'),
    "a city database that is not there": (
        "W101",
        """
DEVICES = {"GEO_BACKEND": "devices.core.clients.geolocation.GeoIP2"}
GEOIP_PATH = "nowhere.mmdb"
""",
    ),
    "a proof that is not there": ("E040", 'DEVICES = {"LOGIN_PROOF": "proof"}'),
    "labels that are not there": ("E040", 'DEVICES = {"LABEL_RULES": ["os.path.nobody"]}'),
    "SimpleJWT's rule that is not there": (
        "E052",
        'SIMPLE_JWT["USER_AUTHENTICATION_RULE"] = "stranger.rules.may_sign_in"',
    ),
    "a serializer that is not there": (
        "E052",
        'SIMPLE_JWT["TOKEN_REFRESH_SERIALIZER"] = "stranger.serializers.Refresh"',
    ),
    "a page that is not there": ("E041", 'DEVICES = {"REAUTHENTICATION_URL": "prove-it"}'),
    "times without a zone": ("E042", "USE_TZ = False"),
    "a clean-up that would sign people out": ("W043", 'DEVICES = {"INACTIVE_DAYS": 7}'),
    "no rotation": ("W044", 'del SIMPLE_JWT["ROTATE_REFRESH_TOKENS"]'),
    "inactive users let in": ("W046", 'SIMPLE_JWT["CHECK_USER_IS_ACTIVE"] = False'),
    "a second factor that is not there": ("E030", 'DEVICES = {"SECOND_FACTOR": "otp.Factor"}'),
    "a key that signs everything": ("W006", 'SIMPLE_JWT["SIGNING_KEY"] = SECRET_KEY'),
    "a short key": ("E005", 'SIMPLE_JWT["SIGNING_KEY"] = "short"'),
    "a setting that there is not": ("W011", 'DEVICES = {"SESSION_MAX_AGES": 90}'),
    "tokens for anybody": ("W007", 'del SIMPLE_JWT["AUDIENCE"]'),
    "no absolute limit": ("E012", 'DEVICES = {"SESSION_MAX_AGE": 0}'),
    "a proxy that is no network": ("E014", 'DEVICES = {"TRUSTED_PROXIES": ["the proxy"]}'),
    "a proxy that nobody trusts": (
        "W015",
        'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")',
    ),
    "cached without a bus": ("E021", 'DEVICES = {"LIVENESS": "cached"}'),
    "a bus of another kind": ("E022", 'DEVICES = {"LIVENESS": "cached", "BUS": "amqp://mq"}'),
    "signing keys that cannot be read": (
        "E091",
        'DEVICES = {"SIGNING_KEYS": [{"path": "/nowhere/key.pem"}]}',
    ),
    "signing keys beside those of a provider": (
        "E090",
        'DEVICES = {"SIGNING_KEYS": "database"}; SIMPLE_JWT["JWK_URL"] = "https://id.example/jwks"',
    ),
    "tokens of another format": ("E092", 'DEVICES = {"ACCESS_TOKEN_FORMAT": "jwt"}'),
    "a service with its secret as it is": (
        "E094",
        'DEVICES = {"SERVICE_CLIENTS": {"shop": {"secrets": ["secret"], "may": ["introspect"]}}}',
    ),
    "a feed on SQLite": (
        "E095",
        'DEVICES = {"FEED": True, "SIGNING_KEYS": "database"}',
    ),
    "bound cookies without pages": (
        "E110",
        """
DEVICES, SESSION_COOKIE_SECURE = {"DBSC": True}, True
"""
        + urls("""
from django.urls import include
urlpatterns = [path("api/", include("devices.api.urls"))]"""),
    ),
    "bound cookies for all subdomains": (
        "E111",
        'DEVICES, SESSION_COOKIE_SECURE = {"DBSC": True}, True; SESSION_COOKIE_DOMAIN = "example.org"',
    ),
    "bound cookies over plain HTTP": ("W112", 'DEVICES = {"DBSC": True}'),
    "bound cookies that are renewed too often": (
        "W113",
        'DEVICES, SESSION_COOKIE_SECURE = {"DBSC": True, "DBSC_COOKIE_AGE": 60}, True',
    ),
    "proofs for nobody knows whom": ("E120", 'DEVICES = {"DPOP": "always"}'),
    "proofs in a cache": ("E121", 'DEVICES = {"DPOP_STORE": "memcached://cache"}'),
    "access tokens in a cookie that no view reads": (
        "W049",
        COOKIE_URLS + 'DEVICES = {"ACCESS_COOKIE": True}',
    ),
    "access tokens in a cookie that no view sets": (
        "W058",
        """
DEVICES = {"ACCESS_COOKIE": True}
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [
    "devices.contrib.cookies.authentication.CookieAuthentication"
]""",
    ),
    "an account that is forgotten before it is dormant": (
        "W056",
        'DEVICES = {"RISK_MEMORY_DAYS": 90}',
    ),
    "an access token that lasts as long as the session": (
        "W057",
        'SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"] = SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]',
    ),
    "sessions that come after their users": (
        "E026",
        """
MIDDLEWARE.remove("django.contrib.sessions.middleware.SessionMiddleware")
MIDDLEWARE.append("django.contrib.sessions.middleware.SessionMiddleware")""",
    ),
    "an API with a language in its path": (
        "W029",
        urls("""
from django.conf.urls.i18n import i18n_patterns
urlpatterns = i18n_patterns(*urlpatterns)"""),
    ),
    "a text as the key of RS256": ("E019", 'SIMPLE_JWT["ALGORITHM"] = "RS256"'),
    "days without a unit": ("E059", 'SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"] = 30'),
    "all cookies deleted at sign-out": ("E055", 'DEVICES = {"CLEAR_SITE_DATA": ["*"]}'),
    "trusted devices without a second factor": (
        "W058",
        'DEVICES = {"TRUSTED_DEVICE_MAX_AGE": 30}',
    ),
    "ended sessions deleted before anybody is asked": ("W062", 'DEVICES = {"RETENTION_DAYS": 1}'),
    "templates of apps that are not looked for": (
        "E064",
        """
TEMPLATES[0]["APP_DIRS"] = False""",
    ),
    "messages that no page shows": (
        "W065",
        """
TEMPLATES[0]["OPTIONS"]["context_processors"].remove(
    "django.contrib.messages.context_processors.messages"
)""",
    ),
    "no key that verifies": ("E066", RS256),
    "a key that verifies nothing": ("E066", RS256 + "SIMPLE_JWT['VERIFYING_KEY'] = 'public'"),
    "a number for the issuer": ("E066", 'SIMPLE_JWT["ISSUER"] = 5'),
    "a number for the audience": ("E066", 'SIMPLE_JWT["AUDIENCE"] = 5'),
    "the claim of the session for the user": (
        "E066",
        'SIMPLE_JWT["USER_ID_CLAIM"] = "session_id"',
    ),
    "the claim of the time for the user": ("E066", 'SIMPLE_JWT["USER_ID_CLAIM"] = "exp"'),
    "no claim for the user": ("E066", 'SIMPLE_JWT["USER_ID_CLAIM"] = None'),
    "the claim of the session for the type": (
        "E066",
        'SIMPLE_JWT["TOKEN_TYPE_CLAIM"] = "session_id"',
    ),
    "the claim of the session for the token": ("E066", 'SIMPLE_JWT["JTI_CLAIM"] = "session_id"'),
    "no scheme for tokens": ("E067", 'SIMPLE_JWT["AUTH_HEADER_TYPES"] = ()'),
    "a header as HTTP has it": ("E067", 'SIMPLE_JWT["AUTH_HEADER_NAME"] = "Authorization"'),
    "a slip of the pen": ("W068", 'SIMPLE_JWT["ACCES_TOKEN_LIFETIME"] = 5'),
    "everybody for a proxy": ("W069", 'DEVICES = {"TRUSTED_PROXIES": ["0.0.0.0/0", "::/0"]}'),
    "a site with a query": ("E035", 'DEVICES = {"SITE_URL": "https://example.org?x=1"}'),
    "a site with a password": ("E035", 'DEVICES = {"SITE_URL": "https://u:p@example.org"}'),
    "a site with a blank": ("E035", 'DEVICES = {"SITE_URL": "https://exam ple.org"}'),
    "a site without a host": ("E035", 'DEVICES = {"SITE_URL": "https://"}'),
    "claims that want to know the user": ("E106", 'DEVICES = {"CLAIMS": "stories.checks.policy"}'),
    "a rule without a past": ("E106", 'DEVICES = {"RISK_RULES": ["stories.checks.claims"]}'),
    "a mail server that is not there": (
        "W107",
        # Since Django 6.1 the old setting is deprecated.
        'EMAIL_BACKEND = "stranger.mail.Backend"'
        if django.VERSION < (6, 1)
        else 'MAILERS = {"default": {"BACKEND": "stranger.mail.Backend"}}',
    ),
    "an exception handler that does not know our errors": (
        "W108",
        'REST_FRAMEWORK["EXCEPTION_HANDLER"] = "rest_framework.views.exception_handler"',
    ),
    "an exception handler that is an object": (
        "W108",
        'REST_FRAMEWORK["EXCEPTION_HANDLER"] = "stories.handlers.own"',
    ),
    "pages that cannot find each other": (
        "E109",
        urls("""
from django.urls import include
urlpatterns = [
    *(each for each in urlpatterns if getattr(each, "app_name", "") != "devices"),
    path("<slug:tenant>/devices/", include("devices.web.urls")),
]"""),
    ),
    "pages behind another namespace of their name": (
        "E109",
        urls("""
from django.urls import include
from django.views.generic import TemplateView
machines = [path("", TemplateView.as_view(), name="list")]
urlpatterns.insert(0, path("machines/", include((machines, "devices"))))"""),
    ),
    "pages behind a page that takes every path": (
        "W114",
        urls("""
from django.urls import include, re_path
from django.views.generic import TemplateView
urlpatterns = [
    path("api/", include("devices.api.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^(?!api/|admin/).*$", TemplateView.as_view(template_name="index.html")),
    path("devices/", include("devices.web.urls")),
]"""),
    ),
    "an API behind sessions of the project's own": (
        "W114",
        urls("""
urlpatterns.insert(0, path("api/sessions", APIView.as_view()))"""),
    ),
    "half a session": ("E013", 'DEVICES = {"MAX_SESSIONS": 2.5}'),
    "a policy that is not there": ("E040", 'DEVICES = {"SESSION_POLICY": "stranger.policy"}'),
    "claims that are not there": ("E040", 'DEVICES = {"CLAIMS": "stranger.claims.of"}'),
    "a login page that is not there": ("W050", 'LOGIN_URL = "sign-in"'),
    "a text for a list": ("E048", 'DEVICES = {"RISK_RULES": "stories.authentication.Enter"}'),
    "a text for a switch": ("E048", 'DEVICES = {"DBSC": "false"}'),
    "nothing for a list": ("E048", 'DEVICES = {"TRUSTED_PROXIES": None}'),
    "a list for settings": ("E048", "DEVICES = []"),
}

RIGHT = {
    "the lines of the README": "",
    "cookies of Django for the API, too": (
        'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]'
        '.append("rest_framework.authentication.SessionAuthentication")'
    ),
    "a class of its own, derived from ours": (
        'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = ["stories.authentication.ByCookie"]'
    ),
    "a view with a class derived from ours": urls("""
from stories.authentication import OwnUser
urlpatterns += [path("own", APIView.as_view(authentication_classes=[OwnUser]))]"""),
    "a password with each request": (
        'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]'
        '.append("rest_framework.authentication.BasicAuthentication")'
    ),
    "a view that wants to see its request first": urls("""
class Odd(APIView):
    authentication_classes = property(lambda self: self.request.nothing)
urlpatterns += [path("odd", Odd.as_view())]"""),
    "an exception handler that was taught our errors": (
        'REST_FRAMEWORK["EXCEPTION_HANDLER"] = "stories.handlers.swallowing"'
    ),
    "another prefix, and pages with a language in their path": urls("""
from django.conf.urls.i18n import i18n_patterns
from django.urls import include
urlpatterns = [
    path("backend/v1/", include("devices.api.urls")),
    path("backend/v1/auth/", include("devices.api.urls.login")),
    path("backend/v1/auth/", include("devices.api.urls.tokens")),
    *i18n_patterns(path("my/devices/", include("devices.web.urls")), path("admin/", admin.site.urls)),
]"""),
    "our middleware twice": f'MIDDLEWARE.append("{OURS}")',
    "a path below which the site is": 'FORCE_SCRIPT_NAME = "/app"',
    "a view for everybody": urls("""
urlpatterns += [path("open", APIView.as_view(authentication_classes=[]))]"""),
    "a login with more in its answer": urls(f"""
from devices.api.serializers import TokenObtainPairSerializer
from {STOCK}.views import TokenObtainPairView
class More(TokenObtainPairSerializer):
    pass
urlpatterns += [path("login", TokenObtainPairView.as_view(serializer_class=More))]"""),
    "another backend behind ours": (
        'AUTHENTICATION_BACKENDS.append("django.contrib.auth.backends.ModelBackend")'
    ),
    "users of a proxy before ours": (
        'AUTHENTICATION_BACKENDS.insert(0, "django.contrib.auth.backends.RemoteUserBackend")'
    ),
    "middleware of its own behind ours": 'MIDDLEWARE += ["stories.cookies.curious"]',
    "pages by another name": urls("""
from django.urls import include
urlpatterns = [
    path("admin/", admin.site.urls),
    path("my/", include("devices.web.urls", namespace="my")),
]"""),
    "no login of ours": urls("""
from django.urls import include
urlpatterns = [path("api/", include("devices.api.urls"))]"""),
    "a rule that is there": 'DEVICES = {"RISK_RULES": ["stories.checks.policy"]}',
    "tokens of RFC 9068": 'DEVICES = {"ACCESS_TOKEN_FORMAT": "rfc9068"}',
    "access tokens in a cookie": COOKIE_URLS
    + """
DEVICES = {"ACCESS_COOKIE": True}
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [
    "devices.contrib.cookies.authentication.CookieAuthentication"
]""",
    "bound cookies over HTTPS": 'DEVICES, SESSION_COOKIE_SECURE = {"DBSC": True}, True',
    "proofs from everybody": 'DEVICES = {"DPOP": "required"}',
    "an engine of ours": 'SESSION_ENGINE = "devices.web.session_engines.cached_db"',
    "a login page of another server": 'LOGIN_URL = "/app/sign-in"',
    "a pair of keys": RS256 + "SIMPLE_JWT['VERIFYING_KEY'] = public",
    "several audiences": 'SIMPLE_JWT["AUDIENCE"] = ["my-site-api", "my-other-api"]',
    "names of claims as OpenID has them": 'SIMPLE_JWT |= {"USER_ID_CLAIM": "sub", "JTI_CLAIM": "id"}',
    "another header, and another scheme": (
        'SIMPLE_JWT |= {"AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN", "AUTH_HEADER_TYPES": "JWT"}'
    ),
    "settings of somebody else": 'SIMPLE_JWT["TOKEN_OBTAIN_PAIR_INPUT_SCHEMA"] = "shop.schemas.Pair"',
    "a proxy in a container": 'DEVICES = {"TRUSTED_PROXIES": ["10.0.0.0/8", "fd00::/8"]}',
    "a site below a path": 'DEVICES = {"SITE_URL": "https://example.org:8443/app/"}',
    "a policy, and claims": """
DEVICES = {"SESSION_POLICY": "stories.checks.policy", "CLAIMS": "stories.checks.claims"}""",
    "Django's own middleware before ours": f"""
MIDDLEWARE.remove("{OURS}")
MIDDLEWARE.append("{OURS}")""",
}

NAMES = (
    *("REST_FRAMEWORK", "SIMPLE_JWT", "MIDDLEWARE", "INSTALLED_APPS", "AUTHENTICATION_BACKENDS"),
    "TEMPLATES",
)


def check(lines: str) -> str:
    """What the command prints in a project with these lines at the end of its settings."""
    scope = {name: deepcopy(getattr(settings, name)) for name in NAMES}
    scope |= {"SECRET_KEY": settings.SECRET_KEY, "types": types}
    exec(lines, scope)
    changed = {name: value for name, value in scope.items() if name.isupper()}
    said = io.StringIO()
    with override_settings(**changed), as_at_the_start(), contextlib.redirect_stderr(said):
        try:
            call_command("check", fail_level="WARNING", stdout=said, stderr=said)
        except CommandError as error:
            said.write(str(error))
    return said.getvalue()


@contextlib.contextmanager
def as_at_the_start():
    """SimpleJWT's tokens by the settings as they are now: it reads them once, when it is imported."""
    before = state.token_backend
    with patch.object(simplejwt_tokens, "api_settings", simplejwt.api_settings):
        tokens.adopt()
        yield
    state.token_backend = before


class Projects(TestCase):
    def test_what_is_wrong_is_said_and_nothing_else(self):
        for name, (expected, lines) in WRONG.items():
            with self.subTest(name):
                said = check(lines)
                self.assertIn(f"(devices.{expected})", said)
                self.assertEqual(said.count("(devices."), 1, said)
                self.assertIn("HINT: ", said)

    def test_the_login_page_that_django_takes_for_granted_is_missed(self):
        """Whoever sets none has /accounts/login/, which `startproject` does not serve."""
        nothing = patch.object(LazySettings, "is_overridden", lambda *_: False, create=True)
        with nothing:
            self.assertIn("(devices.W050)", check(f'LOGIN_URL = "{global_settings.LOGIN_URL}"'))
            served = urls("""
urlpatterns += [path("accounts/login/", APIView.as_view())]""")
            self.assertIn("no issues", check(f'LOGIN_URL = "{global_settings.LOGIN_URL}"{served}'))

    def test_a_value_of_another_kind_breaks_no_check(self):
        """Whatever somebody puts there, the command says a sentence."""
        keys = [name for name, value in vars(Conf).items() if isinstance(value, cached_property)]
        self.assertIn("RISK_RULES", keys)
        for key in keys:
            for value in ("x", -1, None, ["x"], {"x": 1}, object()):
                with self.subTest(key, value=value), override_settings(DEVICES={key: value}):
                    for message in run_checks(tags=["devices"]):
                        self.assertTrue(message.id.startswith("devices."))

    def test_a_database_that_cannot_do_it_is_refused(self):
        for vendor in ("mysql", "oracle"):
            with patch.object(connection, "vendor", vendor):
                said = check("")
            self.assertIn("(devices.E071)", said)
            self.assertEqual(said.count("(devices."), 1, said)
        with patch.object(sqlite3, "sqlite_version_info", (3, 34, 1)):
            self.assertIn("(devices.E072)", check(""))

    def test_what_is_right_is_left_alone(self):
        for name, lines in RIGHT.items():
            with self.subTest(name):
                self.assertIn("no issues", check(lines))
