"""`manage.py check` says what is wrong in projects that are set up wrongly, and nothing in right ones."""

import contextlib
import io
import types
from copy import deepcopy

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, override_settings

STOCK = "rest_framework_simplejwt"
OURS = "devices.web.middleware.DeviceMiddleware"


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
        "E001",
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
    "a proof that is not there": ("E040", 'DEVICES = {"LOGIN_PROOF": "proof"}'),
    "labels that are not there": ("E040", 'DEVICES = {"LABEL_RULES": ["os.path.nobody"]}'),
    "a page that is not there": ("E041", 'DEVICES = {"REAUTHENTICATION_URL": "prove-it"}'),
    "times without a zone": ("E042", "USE_TZ = False"),
    "a clean-up that would sign people out": ("W043", 'DEVICES = {"INACTIVE_DAYS": 7}'),
    "no rotation": ("W044", 'del SIMPLE_JWT["ROTATE_REFRESH_TOKENS"]'),
    "inactive users let in": ("W046", 'SIMPLE_JWT["CHECK_USER_IS_ACTIVE"] = False'),
    "a second factor that is not there": ("E030", 'DEVICES = {"SECOND_FACTOR": "otp.Factor"}'),
    "a key that signs everything": ("W006", 'SIMPLE_JWT["SIGNING_KEY"] = SECRET_KEY'),
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
    "no login of ours": urls("""
from django.urls import include
urlpatterns = [path("api/", include("devices.api.urls"))]"""),
    "a rule that is there": 'DEVICES = {"RISK_RULES": ["stories.authentication.newcomer_of"]}',
    "Django's own middleware before ours": f"""
MIDDLEWARE.remove("{OURS}")
MIDDLEWARE.append("{OURS}")""",
}

NAMES = ("REST_FRAMEWORK", "SIMPLE_JWT", "MIDDLEWARE", "INSTALLED_APPS", "AUTHENTICATION_BACKENDS")


def check(lines: str) -> str:
    """What the command prints in a project with these lines at the end of its settings."""
    scope = {name: deepcopy(getattr(settings, name)) for name in NAMES}
    scope |= {"SECRET_KEY": settings.SECRET_KEY, "types": types}
    exec(lines, scope)
    changed = {name: value for name, value in scope.items() if name.isupper()}
    said = io.StringIO()
    with override_settings(**changed), contextlib.redirect_stderr(said):
        try:
            call_command("check", fail_level="WARNING", stdout=said, stderr=said)
        except CommandError as error:
            said.write(str(error))
    return said.getvalue()


class Projects(SimpleTestCase):
    def test_what_is_wrong_is_said_and_nothing_else(self):
        for name, (expected, lines) in WRONG.items():
            with self.subTest(name):
                said = check(lines)
                self.assertIn(f"(devices.{expected})", said)
                self.assertEqual(said.count("(devices."), 1, said)
                self.assertIn("HINT: ", said)

    def test_what_is_right_is_left_alone(self):
        for name, lines in RIGHT.items():
            with self.subTest(name):
                self.assertIn("no issues", check(lines))
