"""What the URLconf serves: views with an authentication or a serializer of their own."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.shortcuts import resolve_url
from django.urls import (
    NoReverseMatch,
    Resolver404,
    URLResolver,
    get_resolver,
    get_script_prefix,
    resolve,
    reverse,
)
from django.urls.resolvers import LocalePrefixPattern
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework.authentication import BasicAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.views import APIView
from rest_framework_simplejwt import settings as simplejwt
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken

from devices.conf import conf

from .given import is_given
from .names import AUTHENTICATION, SERIALIZERS
from .paths import import_path

STOCK = "rest_framework_simplejwt.serializers"
LOGINS = {each.token_type for each in (RefreshToken, AccessToken, SlidingToken)}


def check() -> Iterator[CheckMessage]:
    """Check that views in the URLconf refuse tokens of ended sessions."""
    # A viewset is a view for each of its paths.
    yield from {message.msg: message for view in views() for message in _of_view(view)}.values()
    if any(_translated(get_resolver(urlconf).url_patterns) for urlconf in _urlconfs()):
        yield checks.Warning(
            "The API is within i18n_patterns: a POST without the language in its path is redirected, and "
            "arrives as a GET.",
            hint="Include devices.api.urls, and those of tokens and logins, outside of i18n_patterns.",
            id="devices.W029",
        )
    if any(_unnamed_pages(urlconf) for urlconf in _urlconfs()):
        yield Error(
            "The pages of devices.web.urls are included where no page finds another by its name: they are "
            "answered with 500.",
            hint="Include them as include('devices.web.urls'), below a path without variables, and give no "
            "other URLs the namespace 'devices'.",
            id="devices.E109",
        )
    for path, name in dict(each for urlconf in _urlconfs() for each in _shadowed(urlconf)).items():
        yield checks.Warning(
            f"{path} never reaches us: the URL {name} comes first, and answers it.",
            hint="Put our URLs before it in urlpatterns, such as before a page for every other path.",
            id="devices.W114",
        )
    # By now the URLconf has imported what it serves.
    if "ninja_jwt.authentication" in sys.modules:
        yield checks.Warning(
            "JWTAuth of ninja-jwt accepts tokens of sessions that have ended.",
            hint="Use devices.contrib.ninja.DeviceAuth in its place, and none of its controllers; see "
            "docs/recipes/ninja.md.",
            id="devices.W083",
        )
    if not _has_login_page():
        yield checks.Warning(
            f"Who is not signed in is sent from our pages to {settings.LOGIN_URL}, and there is no page.",
            hint="Set LOGIN_URL to your login page: 'admin:login' if only staff sign in to pages.",
            id="devices.W050",
        )


def _of_view(view: Any) -> Iterator[CheckMessage]:
    cls = getattr(view, "cls", None)
    if isinstance(cls, type) and issubclass(cls, APIView):
        yield from _authentication(view, cls)
    if isinstance(cls, type) and issubclass(cls, GenericAPIView):
        yield from _serializer(view, cls)


def _has_login_page() -> bool:
    """Whether LOGIN_URL leads somewhere. A path that the project has set may be another server's."""
    try:
        reverse("devices:list")
    except NoReverseMatch:
        return True
    try:
        path = resolve_url(settings.LOGIN_URL)
        return is_given("LOGIN_URL") or bool(resolve(path))
    except (NoReverseMatch, Resolver404):
        return False


def _unnamed_pages(urlconf: Any) -> bool:
    """Whether a URLconf serves the pages, and their names lead nowhere, or to another's pages."""
    pages = import_string("devices.web.views.DevicesView")
    if not any(
        getattr(view, "view_class", None) is pages
        for view in _views(get_resolver(urlconf).url_patterns)
    ):
        return False
    try:
        # A name that nobody else has: with another namespace "devices", the first one is asked.
        reverse("devices:sign-out-others", urlconf=urlconf)
    except NoReverseMatch:
        return True
    return False


def _shadowed(urlconf: Any) -> Iterator[tuple[str, str]]:
    """The first paths of our pages and of our API, if another URL answers them, and its name."""
    for name in ("devices:list", "devices-api:sessions"):
        try:
            path = reverse(name, urlconf=urlconf)
            # Below FORCE_SCRIPT_NAME a path begins with what no pattern has.
            found = resolve(path.replace(get_script_prefix(), "/", 1), urlconf)
        except (NoReverseMatch, Resolver404):
            continue
        if found.app_names[-1:] != [name.partition(":")[0]]:
            yield path, found.view_name


def views() -> Iterator[Any]:
    """The callback of each URL that the project serves, each once."""
    seen = set()
    for urlconf in _urlconfs():
        for view in _views(get_resolver(urlconf).url_patterns):
            if id(view) not in seen:
                seen.add(id(view))
                yield view


def serves(*names: str) -> bool:
    """Whether the project serves a view whose import path, or that of a base, begins with one of these."""
    served = (getattr(view, "cls", getattr(view, "view_class", None)) for view in views())
    classes = (cls for view in served if isinstance(view, type) for cls in view.__mro__)
    return any(import_path(cls).startswith(names) for cls in classes)


def _urlconfs() -> Iterator[Any]:
    """ROOT_URLCONF, and those that other packages choose by the tenant or the host of a request."""
    yield None
    # django-tenants and django-tenant-schemas.
    if public := getattr(settings, "PUBLIC_SCHEMA_URLCONF", None):
        yield public
    for kind in getattr(settings, "TENANT_TYPES", {}).values():
        if "URLCONF" in kind:
            yield kind["URLCONF"]
    # django-hosts.
    if getattr(settings, "ROOT_HOSTCONF", None) and apps.is_installed("django_hosts"):
        for host in import_string("django_hosts.resolvers.get_host_patterns")():
            yield host.urlconf


def _translated(patterns: list[Any]) -> bool:
    """Whether a view of our API has a language in its path."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            is_translated = isinstance(pattern.pattern, LocalePrefixPattern)
            ours = is_translated and any(map(_is_api, _views(pattern.url_patterns)))
            if ours or _translated(pattern.url_patterns):
                return True
    return False


def _is_api(view: Any) -> bool:
    return getattr(getattr(view, "cls", None), "__module__", "").startswith("devices.api.")


def _views(patterns: list[Any]) -> Iterator[Any]:
    """The callback of each URL, with those that are included."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback


def takes_ended_sessions(cls: type) -> bool:
    """Whether an authentication class reads the tokens of SimpleJWT, and not by way of ours."""
    ours = import_string(AUTHENTICATION)
    return any(not issubclass(each, ours) for each in readers(cls))


def readers(cls: type) -> set[type]:
    """The classes derived from SimpleJWT's by which an authentication class reads tokens."""
    return {each for each in _within(cls) if issubclass(each, JWTAuthentication)}


def _within(cls: type) -> set[type]:
    """A class, and the classes of what it has: one for tokens and keys of an API asks one for each."""
    held = [each for base in cls.__mro__ for each in vars(base).values()]
    # Whatever it needs to be made.
    with suppress(Exception):
        held += vars(cls()).values()
    for each in tuple(held):
        held += each if isinstance(each, list | tuple) else ()
    return {each if isinstance(each, type) else type(each) for each in (cls, *held)}


def by_password_alone(where: str, cls: type) -> Iterator[CheckMessage]:
    """Report a class that lets in by a password with each request, where logins ask for more."""
    asks_for_more = conf.SECOND_FACTOR or conf.DEVICE_CODE_METHODS
    if asks_for_more and any(issubclass(each, BasicAuthentication) for each in _within(cls)):
        yield Error(
            f"{where} lets in by the password alone, by {import_path(cls)}.",
            hint=f"Use {AUTHENTICATION} there: second factors and codes are asked for at the login.",
            id="devices.E051",
        )


def _authentication(view: Any, cls: Any) -> Iterator[CheckMessage]:
    # Those of the settings are another check's.
    own = _classes(view, cls) - set(drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    for each in own:
        yield from by_password_alone(import_path(cls), each)
        if takes_ended_sessions(each):
            yield Error(
                f"{import_path(cls)} reads tokens by {import_path(each)}, which knows no sessions.",
                hint=f"Use {AUTHENTICATION} there, or derive the class from it. So can one for tokens of "
                "another kind: its own authenticate and get_validated_token are called.",
                id="devices.E047",
            )


def _classes(view: Any, cls: Any) -> set[type]:
    """The authentication classes of a view: those it names, and those it says when it is asked."""
    kwargs = getattr(view, "initkwargs", {})
    named = kwargs.get("authentication_classes", cls.authentication_classes)
    found = set(named) if isinstance(named, list | tuple | set) else set()
    # Whatever a view wants to know of its request first.
    with suppress(Exception):
        found |= {type(each) for each in cls(**kwargs).get_authenticators()}
    return {each for each in found if isinstance(each, type)}


def _serializer(view: Any, cls: Any) -> Iterator[CheckMessage]:
    try:
        used = cls(**getattr(view, "initkwargs", {})).get_serializer_class()
    except Exception:  # whatever a view wants to know of its request first
        return
    told = {import_string(getattr(simplejwt.api_settings, setting)) for setting in SERIALIZERS}
    ours = tuple(import_string(name) for name in SERIALIZERS.values())
    is_stock = any(base.__module__ == STOCK for base in getattr(used, "__mro__", ()))
    # Tokens of a type of the project's own are for another purpose, such as keys for programs.
    is_login = getattr(getattr(used, "token_class", RefreshToken), "token_type", None) in LOGINS
    if is_stock and is_login and used not in told and not issubclass(used, ours):
        yield Error(
            f"{import_path(cls)} issues or accepts tokens without a session, by {import_path(used)}.",
            hint=f"Derive the serializer from one of {', '.join(SERIALIZERS.values())}, and call "
            "super().validate(attrs) in its validate(). There are no sliding tokens. If its tokens are keys "
            "and no logins, give them a token_type of their own.",
            id="devices.E038",
        )
