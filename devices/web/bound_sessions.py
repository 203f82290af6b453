"""Where browsers bind a session to a key, and prove it again: the endpoints of DBSC. No person sees them.

The proof alone tells who asks: behind a link from another site no cookie comes along. What a status means to
the browser is in docs/dbsc.md: 403 with a challenge asks it to sign, any other 4xx makes it forget the key,
5xx lets it try again.
"""

import uuid
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from devices.conf import conf
from devices.core import sessions
from devices.core.binding import dbsc
from devices.core.binding.proofs import InvalidProof
from devices.exceptions import SessionError
from devices.http import bound_session_headers, get_client, is_secure
from devices.models import Binding, DeviceSession

from . import bound_cookie


@method_decorator([csrf_exempt, login_not_required, never_cache], name="dispatch")
class ProofView(View):
    """A request that the browser itself sends. It signs nobody in."""

    http_method_names = ["post"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        view.proves_binding = True  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        # Its duration reveals nothing to other sites.
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    def renewed(self, session: DeviceSession, identifier: str) -> HttpResponse:
        """What the browser has to know from now on, and its cookie."""
        # Beside this view, be it among the pages or among the paths for single-page apps.
        match: Any = self.request.resolver_match
        url = reverse(f"{match.namespace}:prove", args=[session.pk])
        response = JsonResponse(bound_cookie.instructions(session, identifier, url))
        bound_cookie.give(response, session)
        return response


class BindView(ProofView):
    """Bind the session that a login has just begun, to the key that comes with the proof."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if not (conf.DBSC and is_secure(request)):
            return _refusal("not_found", 404)
        try:
            key, session_id = dbsc.read_registration(bound_session_headers(request).proof)
            session = sessions.register(session_id, key, get_client(request))
        except InvalidProof as error:
            return _refusal("invalid_proof", 400, str(error))
        except SessionError as error:
            return _refusal(error.code, 403, str(error.message))
        return self.renewed(session, dbsc.identifier_of(session.pk))


class ProveView(ProofView):
    """Renew the cookie of a bound session: first ask for a proof, then check it."""

    def post(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        name, proof, _ = bound_session_headers(request)
        if name not in dbsc.identifiers_of(pk):
            return _refusal("invalid_request", 400, "Sec-Secure-Session-Id names another session.")
        client = get_client(request)
        try:
            session = sessions.find_bound(pk, client)
            if session.binding != Binding.DBSC or not is_secure(request):
                return _end(name)
            if not conf.DBSC:
                # Else it would be asked for the key again, once this is switched on.
                sessions.unbind(session, client, "switched_off")
                return _end(name)
            if not proof:
                return _challenge(session, name)
            dbsc.check_proof(proof, session)
            if not sessions.renew(session):
                # It has ended, which is asked now, or another answer was faster.
                session = sessions.find_bound(pk, client)
                return _challenge(session, name)
        except dbsc.StaleChallenge:
            return _challenge(session, name)
        except InvalidProof as error:
            sessions.refuse_copy(session, client, "wrong_proof")
            return _refusal("invalid_proof", 400, str(error))
        except SessionError:
            return _end(name)
        return self.renewed(session, name)


def _challenge(session: DeviceSession, name: str) -> HttpResponse:
    response = HttpResponse(status=403)
    # It is how each renewal begins, and nothing to warn of.
    response._has_been_logged = True  # type: ignore[attr-defined]
    response["Secure-Session-Challenge"] = f'"{dbsc.challenge(session)}";id="{name}"'
    return response


def _end(name: str) -> HttpResponse:
    """Tell the browser to forget the session and its key."""
    return JsonResponse({"session_identifier": name, "continue": False})


def _refusal(code: str, status: int, detail: str = "") -> HttpResponse:
    return JsonResponse({"detail": detail, "code": code}, status=status)
