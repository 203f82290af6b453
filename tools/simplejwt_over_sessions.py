"""A pytest plugin for SimpleJWT's own suite: its project takes this app in by the lines of the README.

SimpleJWT's serializers and JWTAuthentication are ours under their names, and the tokens that the tests of
those make by hand are of a session. Clients post JSON, or forms where SUITE_POSTS is "forms".
"""

import os
import re
from pathlib import Path
from typing import Any

from django.conf import LazySettings

README = Path(__file__).parents[1] / "README.md"
SERIALIZERS = (
    "TokenObtainPairSerializer",
    "TokenRefreshSerializer",
    "TokenVerifySerializer",
    "TokenBlacklistSerializer",
)
# Whose tests give tokens to serializers, views and authentication. The others are about tokens alone.
GIVES_TOKENS = ("tests.test_authentication", "tests.test_serializers", "tests.test_views")


def with_the_app(suite: dict[str, Any]) -> dict[str, Any]:
    """The suite's settings, and after them the README's."""
    settings = {
        name: list(value) if isinstance(value, tuple) else value for name, value in suite.items()
    }
    os.environ["JWT_SECRET_KEY"] = "a signing key for the suite, of no use elsewhere"
    told = README.read_text().split("## In your project")[1]
    lines = re.findall(r"```python\n(.*?)```", told, re.DOTALL)[0]
    exec(lines.replace('"rest_framework", ', ""), settings)
    # As SimpleJWT has it: the suite's clients do not store the refresh token of each answer.
    settings["SIMPLE_JWT"]["ROTATE_REFRESH_TOKENS"] = False
    rest = settings["REST_FRAMEWORK"]
    if os.environ.get("SUITE_POSTS") == "forms":
        rest["DEFAULT_PARSER_CLASSES"] += [
            "rest_framework.parsers.FormParser",
            "rest_framework.parsers.MultiPartParser",
        ]
    else:
        rest["TEST_REQUEST_DEFAULT_FORMAT"] = "json"
    return {name: value for name, value in settings.items() if name.isupper()}


def _configure(self: LazySettings, **suite: Any) -> None:
    LazySettings.configure = _stock  # type: ignore[method-assign]
    self.configure(**with_the_app(suite))


# The suite's conftest.py calls it, after this plugin is imported and before the tests are.
_stock = LazySettings.configure
LazySettings.configure = _configure  # type: ignore[assignment, method-assign]


def pytest_sessionstart() -> None:
    _put_in()


def pytest_runtest_setup(item: Any) -> None:
    # Some of the suite's tests load SimpleJWT's modules anew.
    _put_in()
    if item.module.__name__ in GIVES_TOKENS:
        for name in ("AccessToken", "AuthToken", "RefreshToken"):
            token_class = getattr(item.module, name, None)
            if token_class and not hasattr(token_class, "of_session"):
                setattr(item.module, name, _of_sessions(token_class))


def _put_in() -> None:
    from rest_framework_simplejwt import authentication
    from rest_framework_simplejwt import serializers as simplejwt

    from devices.api import serializers
    from devices.api.authentication import DeviceSessionAuthentication

    authentication.JWTAuthentication = DeviceSessionAuthentication  # type: ignore[misc]
    for name in SERIALIZERS:
        setattr(simplejwt, name, getattr(serializers, name))


def _of_sessions(token_class: Any) -> Any:
    from django.contrib.auth import get_user_model

    from devices.core import sessions
    from devices.core.clients.client import Client

    users: Any = get_user_model()._default_manager

    class TokenOfSession(token_class):  # type: ignore[misc]
        """A new one is of a session of the test's user."""

        def __init__(self, token: Any = None, verify: bool = True) -> None:
            super().__init__(token, verify)
            if token is None:
                self.of_session(users.first() or users.create_user("alice"))

        def of_session(self, user: Any) -> None:
            session = sessions.start(user, Client())
            self["user_id"], self["session_id"] = str(user.pk), str(session.pk)
            self["generation"] = session.generation

        @classmethod
        def for_user(cls, user: Any) -> Any:
            token = cls()
            token.of_session(user)
            return token

    return TokenOfSession
