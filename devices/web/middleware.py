"""What answers tell a browser: the cookie that knows it again, and the client hints that help to name it."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from devices.http import expect_newcomer, hand_out_cookie

# Chromium sends these only when asked: Windows 10 or 11, the phone's model, whether it is a tablet.
# It listens to the answer of a navigation alone, so an API's answers need not ask.
ACCEPT_CH: Final = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Model, Sec-CH-UA-Form-Factors"

GetResponse = Callable[[HttpRequest], HttpResponse]


class DeviceMiddleware:
    """Sets the device cookie where somebody signs in, and asks for client hints with every page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        expect_newcomer(request)
        response = self.get_response(request)
        hand_out_cookie(request, response)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Accept-CH", ACCEPT_CH)
        return response
