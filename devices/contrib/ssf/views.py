"""What services ask of the transmitter (SSF 1.0 §8), and where they poll (RFC 8936)."""

import io
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ParseError

from devices.api.oauth import OAuthError, answering, body_of, demand, demand_scope, has_bearer_token
from devices.api.parsers import StrictJSONParser
from devices.api.well_known import document_of_issuer
from devices.conf import conf
from devices.core import feed
from devices.core.notifications.review_links import page
from devices.core.service_clients import MANAGE, READ

from . import endpoint, events, pending, streams
from .models import Stream, StreamStatus
from .streams import Wrong

logger = logging.getLogger("devices")

# SETs in one answer to a poll.
MOST_SETS: Final = 100
# Seconds between two looks at the database, for each who waits.
LOOK: Final = 0.2
# OAuth 2.0, by client credentials, and HTTP Basic, by the name and secret of SERVICE_CLIENTS.
OAUTH: Final = "urn:ietf:rfc:6749"
BASIC: Final = "urn:ietf:rfc:7617"
JTI: Final = re.compile(r"[0-9a-f]{32}")

# Takes the name of the service, and what it sent.
Answer = Callable[[str, dict[str, Any]], HttpResponseBase]


def by_method(scope: str = MANAGE, **answers: Answer) -> Callable[[HttpRequest], HttpResponseBase]:
    """A view that has one function for each method. Of a GET or DELETE the query is what was sent.

    A service comes with its secret, or with an access token of this scope; to GET, one to read is enough.
    """

    @answering
    def view(request: HttpRequest) -> HttpResponseBase:
        """Answer with the function of the request's method."""
        answer = answers.get(request.method or "")
        if answer is None:
            allowed = ", ".join(answers)
            raise OAuthError(405, "invalid_request", f"Use {allowed}.", Allow=allowed)
        if has_bearer_token(request):
            client = demand_scope(READ if request.method == "GET" else scope, request).name
        else:
            client = demand(endpoint.PERMISSION, request, {}).name
        sent = request.GET.dict() if request.method in ("GET", "DELETE") else _body(request)
        try:
            return answer(client, {**request.GET.dict(), **sent})
        except Wrong as error:
            raise OAuthError(error.status, "invalid_request", str(error)) from error

    return view


# Streams


def _create(client: str, sent: dict[str, Any]) -> HttpResponse:
    stream = streams.create(client, sent)
    return JsonResponse(streams.describe(stream), status=201)


def _read(client: str, sent: dict[str, Any]) -> HttpResponse:
    if "stream_id" in sent:
        return JsonResponse(streams.describe(_stream(client, sent)))
    found = [streams.describe(each) for each in streams.all_of(client)]
    # Django 6.2 warns of JsonResponse's `safe`, without which earlier releases refuse a list.
    return HttpResponse(json.dumps(found), content_type="application/json")


def _update(client: str, sent: dict[str, Any], *, is_whole: bool = False) -> HttpResponse:
    stream = _stream(client, sent)
    streams.change(stream, sent, is_whole=is_whole)
    return JsonResponse(streams.describe(stream))


def _replace(client: str, sent: dict[str, Any]) -> HttpResponse:
    return _update(client, sent, is_whole=True)


def _delete(client: str, sent: dict[str, Any]) -> HttpResponse:
    streams.delete(_stream(client, sent))
    return HttpResponse(status=204)


def _read_status(client: str, sent: dict[str, Any]) -> HttpResponse:
    return _told_status(_stream(client, sent))


def _set_status(client: str, sent: dict[str, Any]) -> HttpResponse:
    stream = _stream(client, sent)
    streams.set_status(stream, sent.get("status"), sent.get("reason"))
    return _told_status(stream)


def _told_status(stream: Stream) -> HttpResponse:
    said = {"stream_id": str(stream.pk), "status": stream.status}
    if stream.status_reason:
        said["reason"] = stream.status_reason
    return JsonResponse(said)


def _verify(client: str, sent: dict[str, Any]) -> HttpResponse:
    streams.verify(_stream(client, sent), sent.get("state"))
    return HttpResponse(status=204)


def _add_subject(client: str, sent: dict[str, Any]) -> HttpResponse:
    streams.add_subject(_stream(client, sent), sent.get("subject"))
    return HttpResponse(status=200)


def _remove_subject(client: str, sent: dict[str, Any]) -> HttpResponse:
    streams.remove_subject(_stream(client, sent), sent.get("subject"))
    return HttpResponse(status=204)


def _poll(client: str, sent: dict[str, Any]) -> HttpResponse:
    """Take acknowledgements, and answer with what comes next; wait for it unless it shall be at once."""
    stream = _stream(client, sent)
    if stream.endpoint_url:
        raise Wrong("The events of this stream are pushed.")
    most = sent.get("maxEvents", MOST_SETS)
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise Wrong("`maxEvents` is a number.")
    pending.take(stream, _taken(stream, sent))
    most = min(most, MOST_SETS)
    with feed.a_place() as may_wait:
        is_at_once = sent.get("returnImmediately") is True or not may_wait or not most
        until = time.monotonic() + (0 if is_at_once else conf.FEED_WAIT.total_seconds())
        while not (found := _next(stream, most)) and time.monotonic() < until:
            time.sleep(LOOK)
    return JsonResponse(
        {
            "sets": {event.jti.hex: pending.sign(event, stream) for event in found[:most]},
            "moreAvailable": len(found) > most,
        }
    )


def _next(stream: Stream, most: int) -> list[Any]:
    status = Stream.objects.filter(pk=stream.pk).values_list("status", flat=True).first()
    return pending.next_of(stream, most + 1) if status == StreamStatus.ENABLED else []


def _taken(stream: Stream, sent: dict[str, Any]) -> list[str]:
    """What a service acknowledges, and what it could not read: to send it again would change nothing."""
    acknowledged, errors = sent.get("ack", []), sent.get("setErrs", {})
    if not (isinstance(acknowledged, list) and isinstance(errors, dict)):
        raise Wrong("`ack` is a list, and `setErrs` an object.")
    for jti, error in list(errors.items())[:MOST_SETS]:
        logger.warning("%s could not read the event %.64r: %.200r", stream.client, jti, error)
    return [
        each for each in [*acknowledged, *errors] if isinstance(each, str) and JTI.fullmatch(each)
    ]


configuration = by_method(POST=_create, GET=_read, PATCH=_update, PUT=_replace, DELETE=_delete)
status = by_method(GET=_read_status, POST=_set_status)
verification = by_method(POST=_verify)
add_subject = by_method(POST=_add_subject)
remove_subject = by_method(POST=_remove_subject)
poll = by_method(READ, POST=_poll)


# Discovery


@login_not_required
@require_safe
def well_known(request: HttpRequest, path: str = "") -> HttpResponse:
    """What services have to know of us (SSF 1.0 §7.1). 404 unless `iss` is the https URL asked for."""
    return document_of_issuer(request, path, lambda issuer: _metadata())


def _metadata() -> Mapping[str, Any]:
    names = {
        "configuration_endpoint": "stream",
        "status_endpoint": "status",
        "add_subject_endpoint": "add-subject",
        "remove_subject_endpoint": "remove-subject",
        "verification_endpoint": "verification",
    }
    said = {
        "spec_version": "1_0",
        "issuer": events.issuer(),
        "jwks_uri": page("devices-well-known:jwks"),
        "delivery_methods_supported": [streams.PUSH, streams.POLL],
        **{name: page(f"devices-ssf:{view}") for name, view in names.items()},
        "authorization_schemes": [
            *([{"spec_urn": OAUTH}] if page("devices-oauth:token") else []),
            {"spec_urn": BASIC},
        ],
        "default_subjects": "ALL",
    }
    return {name: value for name, value in said.items() if value}


def _stream(client: str, sent: dict[str, Any]) -> Stream:
    return streams.find(client, sent.get("stream_id"))


def _body(request: HttpRequest) -> dict[str, Any]:
    """The object in the body of a request. Raises OAuthError."""
    try:
        sent = StrictJSONParser().parse(io.BytesIO(body_of(request) or b"{}"))
    except (ParseError, ValueError):
        raise OAuthError(400, "invalid_request", "Send JSON.") from None
    if not isinstance(sent, dict):
        raise OAuthError(400, "invalid_request", "Send a JSON object.")
    return sent
