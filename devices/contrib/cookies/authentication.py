"""Who is asking: a bearer token, the access token in a cookie, or Django's session cookie."""

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.request import Request

from devices import csrf
from devices.api.authentication import DeviceSessionAuthentication
from devices.conf import conf
from devices.core import tokens
from devices.exceptions import SessionRequired
from devices.http import vary
from devices.models import Binding, DeviceSession
from devices.shortcuts import authenticate
from devices.web import bound_cookie

from . import jar


class CookieAuthentication(DeviceSessionAuthentication):
    """As DeviceSessionAuthentication, but a cookie is as good as a token.

    That is the cookie of DEVICES["ACCESS_COOKIE"], or Django's session cookie, by which people are signed in
    to pages of the same site.

    Put it into DEFAULT_AUTHENTICATION_CLASSES. Browsers send cookies by themselves, so with one each request
    that is not GET, HEAD or OPTIONS needs Django's CSRF token; without it the answer is 403 `csrf_failed`.

    With that setting no script has the access token of a session that is bound to a key of the browser
    (DBSC). So the bound cookie has to come along with it, in whichever header the token is.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, DeviceSession] | None:
        vary(request, "Cookie")
        found = super().authenticate(request)
        if found is not None:
            if conf.ACCESS_COOKIE:
                _check_cookie(request, found[1])
            return found
        if access := jar.read(request, jar.ACCESS):
            csrf.enforce_token(request)
            user, session = self.admit(request, access.encode(errors="replace"))
            _check_cookie(request, session)
            return user, session
        try:
            session = authenticate(request)
        except SessionRequired:
            return None
        if self.is_extended():
            # What a subclass asks of a token, it asks of Django's cookie, too.
            return self.admit(request, tokens.issue(session).access.encode())
        return session.user, session


def _check_cookie(request: Request, session: DeviceSession) -> None:
    """Raises BindingRequired. Costs no query; of other sessions nothing is asked."""
    if session.binding == Binding.DBSC:
        bound_cookie.check(request._request, session)
