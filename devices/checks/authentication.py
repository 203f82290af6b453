"""Whether all entry points check the session: authentication classes, serializers, backends, middleware."""

from collections.abc import Iterator
from inspect import signature
from itertools import takewhile
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import conf

from .database import is_atomic
from .names import (
    AUTHENTICATION,
    BACKEND,
    COOKIE_AUTHENTICATION,
    COOKIES,
    EXTEND_HANDLER,
    MESSAGES,
    MIDDLEWARE,
    PAGE_CACHE,
    READERS,
    SERIALIZERS,
    STORES,
)
from .paths import import_path
from .urls import by_password_alone, readers, serves, takes_ended_sessions

SESSIONS = "django.contrib.sessions"
# They ask a directory for each password. Others that name a password, such as django-axes', compare none.
DIRECTORIES = {
    "django_auth_ldap.backend.LDAPBackend",
    "django_python3_ldap.auth.LDAPBackend",
}


def check() -> Iterator[CheckMessage]:
    """Check that the API refuses tokens of ended sessions, and that SimpleJWT uses the app's serializers."""
    ours = import_string(AUTHENTICATION)
    asked: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    lax = [cls.__name__ for cls in asked if takes_ended_sessions(cls)]
    if lax:
        yield Error(
            "The API does not check whether the session of a token is active: "
            f"{', '.join(lax)} does not ask.",
            hint=f"Put {AUTHENTICATION}, or a class derived from it, in place of SimpleJWT's into "
            "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'], or into the class of yours that asks it.",
            id="devices.E001",
        )
    elif not any(issubclass(each, ours) for cls in asked for each in readers(cls)):
        yield checks.Warning(
            "The views of the project take no tokens of sessions.",
            hint=f"Put {AUTHENTICATION}, or for cookies {COOKIE_AUTHENTICATION}, into "
            "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']. If your API takes cookies by another class, "
            "put this check into SILENCED_SYSTEM_CHECKS.",
            id="devices.W084",
        )
    for cls in asked:
        yield from by_password_alone("The API", cls)
    if conf.ACCESS_COOKIE and not any(
        issubclass(cls, import_string(COOKIE_AUTHENTICATION)) for cls in asked
    ):
        yield checks.Warning(
            "DEVICES['ACCESS_COOKIE'] puts access tokens into a cookie that no view reads by default.",
            hint=f"Put {COOKIE_AUTHENTICATION} into REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'].",
            id="devices.W049",
        )
    for setting, name in SERIALIZERS.items():
        if not issubclass(
            import_string(getattr(simplejwt.api_settings, setting)), import_string(name)
        ):
            yield Error(
                f"SIMPLE_JWT['{setting}'] issues or accepts tokens without a session.",
                hint=f"Point it to {name} or a subclass; see docs/settings.md.",
                id="devices.E002",
            )
    yield from _get_token()
    handler: Any = drf.api_settings.EXCEPTION_HANDLER
    if not getattr(handler, "knows_sessions", False) and not is_atomic():
        yield checks.Warning(
            "EXCEPTION_HANDLER of REST_FRAMEWORK does not know the errors of this app: a refused login may "
            "be answered with 500, and refusals are not in the security log.",
            hint=EXTEND_HANDLER,
            id="devices.W108",
        )
    backends = [import_string(name) for name in settings.AUTHENTICATION_BACKENDS]
    if not any(issubclass(backend, import_string(BACKEND)) for backend in backends):
        yield checks.Warning(
            "Passwords can be guessed without limit.",
            hint=f"Put {BACKEND} into AUTHENTICATION_BACKENDS in place of Django's ModelBackend.",
            id="devices.W003",
        )
    elif early := _unlimited(backends, import_string(BACKEND)):
        yield Error(
            f"Login throttling has no effect: {early} is asked first.",
            hint=f"Remove it, or put {BACKEND} first.",
            id="devices.E039",
        )
    yield from _middleware()


def _get_token() -> Iterator[CheckMessage]:
    """Serializers whose `get_token` would add claims in SimpleJWT, and is never called here."""
    stock = import_string(SERIALIZERS["TOKEN_OBTAIN_SERIALIZER"])
    classes = [stock]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        if cls.get_token.__func__ is not stock.get_token.__func__:
            yield Error(
                f"{import_path(cls)}.get_token makes no session, and is not called: its claims are missing.",
                hint="Move them to a function, set DEVICES['CLAIMS'] to its import path, and remove "
                "get_token. A validate() that calls it calls super().validate(attrs), and takes self.tokens.",
                id="devices.E100",
            )


def _unlimited(backends: list[Any], ours: type) -> str:
    """Which backends check passwords before ours counts the attempt."""
    before = takewhile(lambda backend: not issubclass(backend, ours), backends)
    return ", ".join(
        backend.__name__
        for backend in before
        if (
            issubclass(backend, ModelBackend)
            and "password" in signature(backend.authenticate).parameters
        )
        or not DIRECTORIES.isdisjoint(import_path(each) for each in backend.mro())
    )


def _lacks_table() -> bool:
    """Whether cookie sessions are kept in a table of Django's that is not there."""
    if apps.is_installed(SESSIONS):
        return False
    engine = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    # An engine of a package may have a table of its own.
    table: Any = db.SessionStore.get_model_class
    return issubclass(engine, db.SessionStore) and (
        engine.get_model_class.__func__ is table.__func__
    )


def _middleware() -> Iterator[CheckMessage]:
    asked = [import_string(path) for path in settings.MIDDLEWARE]
    cookies = _place(asked, import_string(COOKIES))
    store = _place(asked, import_string(STORES))
    if store is None:
        # django-user-sessions has one that is none of Django's.
        called = [getattr(each, "__name__", "") for each in asked]
        store = called.index("SessionMiddleware") if "SessionMiddleware" in called else None
    if cookies is not None and (store is None or store > cookies):
        yield Error(
            f"{COOKIES} needs {STORES} before it: every request, to the API too, is answered with 500.",
            hint="Put them in the order of Django's startproject.",
            id="devices.E026",
        )
    if cookies is not None and _lacks_table():
        yield Error(
            f"SESSION_ENGINE keeps sessions in a table of {SESSIONS}, which is not installed: sign-ins on "
            "pages are answered with 500.",
            hint=f"Put {SESSIONS} into INSTALLED_APPS, and run migrate.",
            id="devices.E028",
        )
    if _place(asked, import_string(MESSAGES)) is None and serves("devices.web."):
        yield Error(
            "The pages of devices.web.urls show messages, which this project has not: forms fail with 500.",
            hint=f"Put django.contrib.messages into INSTALLED_APPS, and {MESSAGES} into MIDDLEWARE.",
            id="devices.E027",
        )
    if _place(asked, import_string(PAGE_CACHE)) is not None:
        yield checks.Warning(
            "Django's cache of whole pages answers before a view has asked for the session: what a page or "
            "the API has shown is shown again after the session has ended.",
            hint=f"Remove {PAGE_CACHE}, and name what is the same for all by cache_page.",
            id="devices.W144",
        )
    ours = _place(asked, import_string(MIDDLEWARE))
    behind = f"Put {MIDDLEWARE} directly behind {COOKIES} in MIDDLEWARE."
    if ours is None and cookies is not None:
        yield Error(
            "Cookies for the admin and for pages still work after their session has ended.",
            hint=behind,
            id="devices.E024",
        )
    elif ours is None:
        yield checks.Warning(
            "Browsers are not recognized: each sign-in adds another session.",
            hint=f"Put {MIDDLEWARE} into MIDDLEWARE.",
            id="devices.W018",
        )
    elif cookies is not None:
        between = settings.MIDDLEWARE[cookies + 1 : ours]
        early = [path for path in between if path in READERS or not path.startswith("django.")]
        if ours < cookies or early:
            names = ", ".join(early) or COOKIES
            yield Error(
                f"Middleware may see a user whose session has ended: {names} comes first.",
                hint=behind,
                id="devices.E025",
            )
        again = _place(asked[ours + 1 :], import_string(COOKIES))
        if again is not None and cookies < ours:
            name = settings.MIDDLEWARE[ours + 1 + again]
            yield Error(
                f"{name} signs in a user whose session has ended: it comes after {MIDDLEWARE}.",
                hint=f"Put {MIDDLEWARE} behind the last of them in MIDDLEWARE.",
                id="devices.E053",
            )


def _place(classes: list[Any], wanted: type) -> int | None:
    """The position of a class or of its first subclass. Middleware may be functions, too."""
    found = (
        place
        for place, each in enumerate(classes)
        if isinstance(each, type) and issubclass(each, wanted)
    )
    return next(found, None)
