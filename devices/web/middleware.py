"""DeviceMiddleware: who is signed in to a browser, while that session is active, and which browser it is."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import SimpleLazyObject
from rest_framework.views import APIView

from devices.core import device_codes
from devices.exceptions import DeviceCodeRequired, DevicesError, TooEarly, TooManyAttempts, in_words
from devices.http import answering, expect_answer, is_too_early, wants_page
from devices.shortcuts import error_response

from . import cookie, device_code

# Chromium sends these only when asked: Windows 10 or 11, the phone's model, whether it is a tablet.
# It listens to the answer of a navigation alone, so an API's answers need not ask.
ACCEPT_CH: Final = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Form-Factors"

GetResponse = Callable[[HttpRequest], HttpResponse]


class DeviceMiddleware:
    """`request.user` as the DeviceSession of the cookie session has it, and that as `request.device_session`.

    Sets the device cookie where somebody signs in, asks for client hints with every page, and refuses what
    came too early. Put it directly behind AuthenticationMiddleware, so that everything else sees its
    `request.user`; without that one it leaves `request.user` alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        if is_too_early(request):
            return error_response(TooEarly())
        promised = expect_answer(request)
        request.device_session = None
        if hasattr(request, "session") and hasattr(request, "user"):
            request.user = request.cookie_user = SimpleLazyObject(partial(cookie.user_of, request))
            request.auser = partial(cookie.auser_of, request)
        with answering(request):
            response = self.get_response(request)
            # One may promise another.
            for do in promised:
                do(request, response)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Accept-CH", ACCEPT_CH)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer an error of ours that a view let through, instead of with a 500."""
        if isinstance(error, DeviceCodeRequired):
            # What the login wrote went with its transaction, under ATOMIC_REQUESTS.
            device_codes.keep(error.pending)
            page = device_code.page()
            if page and wants_page(request):
                return redirect(page)
        if isinstance(error, TooManyAttempts) and wants_page(request):
            response = render(
                request, "devices/too_many.html", {"time": in_words(error.retry_after)}, status=429
            )
            response["Retry-After"] = str(error.retry_after)
            response["Cache-Control"] = "no-store"
            return response
        if isinstance(error, DevicesError | TooManyAttempts):
            return error_response(error)
        return None

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Ask before the view does: outside of the transaction that ATOMIC_REQUESTS wraps around it."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "user"):
            return
        other = request.user
        is_overruled = other is not getattr(request, "cookie_user", other)
        if is_overruled:
            # Middleware behind this one made something of ours, or put Django's own answer in its place.
            request.user = SimpleLazyObject(partial(cookie.overruled, request, other))
        if issubclass(getattr(view, "cls", object), APIView):
            # It asks for a token, mostly; if for the cookie, then itself.
            return
        if getattr(view, "proves_binding", False):
            # It asks for the proof by which the cookie becomes good again.
            return
        try:
            if is_overruled:
                # Not within ours: allauth empties the lazy object that it finds here, when it takes the
                # session of an app's token.
                request.user = cookie.overruled(request, other)
            bool(request.user.is_authenticated)
        except DatabaseError:
            # The view may do without.
            return
