"""The site's own answers: home, and what is not found or went wrong under `/api/`, as JSON."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import get_script_prefix
from django.utils.translation import get_language
from django.views import defaults
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication

from accounts import limits
from devices.exceptions import in_words
from devices.shortcuts import list_sessions


class HomeView(TemplateView):
    """The home page: what this is, and the next step."""

    template_name = "home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        n = list_sessions(user).count() if user.is_authenticated else 0
        return super().get_context_data(active_sessions=n, **kwargs)


class DocsView(SpectacularSwaggerSplitView):
    """The API to try out, within the site's own page, and with no script in it (CSP)."""

    template_name = "docs.html"
    # Only for the name at the top of the page; the calls made from it send the token they are given.
    authentication_classes = (SessionAuthentication,)


class IconView(RedirectView):
    """To a picture by the name that it has now."""

    icon = ""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str:
        return static(self.icon)


class SchemaOnce(SchemaGenerator):
    """The description of the API, made once in each process and language: it is the same for everybody."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        # `?lang=` and `?version=` may say anything.
        language = get_language() or ""
        known = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        return _schema(known, get_script_prefix())


@lru_cache(maxsize=16)
def _schema(language: str, prefix: str) -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return schema


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, as JSON below /api/."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": "Not found.", "code": "not_found"}, status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400, as JSON below /api/."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": "Bad request.", "code": "bad_request"}, status=400)
    return defaults.bad_request(request, exception)


def too_many(request: HttpRequest) -> HttpResponse:
    """Answer 429 with the time to wait, on pages of allauth; its API has an answer of its own."""
    context = {"time": in_words(limits.retry_after(request))}
    return render(request, "429.html", context, status=429)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, as JSON below /api/."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": "Something went wrong.", "code": "error"}, status=500)
    return defaults.server_error(request)
