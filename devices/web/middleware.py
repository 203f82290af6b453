"""What the pages know of a browser: who is signed in to it, for as long as that lives, and which it is."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from rest_framework.views import APIView

from devices.conf import conf
from devices.http import answering, expect_newcomer, hand_out_cookie

from . import cookie, impersonation

# Chromium sends these only when asked: Windows 10 or 11, the phone's model, whether it is a tablet.
# It listens to the answer of a navigation alone, so an API's answers need not ask.
ACCEPT_CH: Final = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Form-Factors"

GetResponse = Callable[[HttpRequest], HttpResponse]


class DeviceMiddleware:
    """`request.user` as the DeviceSession of the cookie session has it, and that as `request.device_session`.

    Sets the device cookie where somebody signs in, and asks for client hints with every page. Put it directly
    behind AuthenticationMiddleware, so that everything else sees its `request.user`; without that one it
    leaves `request.user` alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        expect_newcomer(request)
        request.device_session = None
        if hasattr(request, "session") and hasattr(request, "user"):
            request.cookie_session = request.session
            request.user = SimpleLazyObject(partial(cookie.user_of, request))
            request.auser = partial(cookie.auser_of, request)
        with answering(request):
            response = self.get_response(request)
            impersonation.settle(request)
        hand_out_cookie(request, response)
        if conf.CLEAR_SITE_DATA and getattr(request, "has_left", False):
            wiped = ", ".join(f'"{kind}"' for kind in conf.CLEAR_SITE_DATA)
            response.headers.setdefault("Clear-Site-Data", wiped)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Accept-CH", ACCEPT_CH)
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Ask before the view does: outside of the transaction that ATOMIC_REQUESTS wraps around it."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "user"):
            return
        if issubclass(getattr(view, "cls", object), APIView):
            # It asks for a token, mostly; if for the cookie, then itself.
            return
        try:
            bool(request.user.is_authenticated)
        except DatabaseError:
            # The view may do without.
            return
