"""The feed of what has ended, for services: by long poll, or as server-sent events."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from devices.conf import conf
from devices.core import feed
from devices.core.feed import Listener, Message
from devices.core.service_clients import ServiceClient
from devices.http import last_event_id

from .oauth import Fields, OAuthError, for_services

NONCE: Final = re.compile(r"[\w-]{16,64}", re.ASCII)
# Seconds of silence in a stream, and of a stream: synchronous workers of gunicorn are killed after 30.
HEARTBEAT: Final = 1.0
LONGEST: Final = 20.0
SSE: Final = "text/event-stream"


@for_services("feed")
def poll(request: HttpRequest, service: ServiceClient, fields: Fields) -> HttpResponse:
    """What has ended since a cursor, as a signed message; waits for it, at most as long as it is asked to."""
    _demand_feed()
    listener, cursor = _listener(service, fields), fields.get("since") or None
    with feed.a_place() as may_wait:
        seconds = _seconds(fields) if may_wait else 0
        message = feed.wait(listener, cursor, seconds)
    return HttpResponse(message.text, content_type="application/jwt")


@for_services("feed", method="GET")
def stream(request: HttpRequest, service: ServiceClient, fields: Fields) -> HttpResponseBase:
    """The same as server-sent events. Each has its cursor as its id, from which a reconnect continues."""
    _demand_feed()
    listener = _listener(service, fields)
    cursor = last_event_id(request) or fields.get("since") or None
    if not feed.has_place():
        raise OAuthError(503, "temporarily_unavailable", "No place is free.", Retry_After="1")
    first = feed.wait(listener, cursor, 0)
    events = _stream_async if isinstance(request, ASGIRequest) else _stream
    answer = StreamingHttpResponse(events(listener, first), content_type=SSE)
    # nginx would hold them back.
    answer["X-Accel-Buffering"] = "no"
    return answer


def _stream(listener: Listener, message: Message) -> Iterator[str]:
    with feed.a_place() as has_place:
        until = time.monotonic() + LONGEST
        yield _event(message)
        while has_place and time.monotonic() < until:
            message = feed.wait(listener, message.cursor, HEARTBEAT)
            yield _event(message)


async def _stream_async(listener: Listener, message: Message) -> AsyncIterator[str]:
    with feed.a_place() as has_place:
        until = time.monotonic() + LONGEST
        yield _event(message)
        while has_place and time.monotonic() < until:
            message = await feed.await_next(listener, message.cursor, HEARTBEAT)
            yield _event(message)


def _event(message: Message) -> str:
    return f"id: {message.cursor}\nevent: feed\ndata: {message.text}\n\n"


def _demand_feed() -> None:
    if not conf.FEED:
        raise OAuthError(404, "invalid_request", "There is no feed here.")


def _listener(service: ServiceClient, fields: Fields) -> Listener:
    nonce = fields.get("nonce", "")
    if not NONCE.fullmatch(nonce):
        raise OAuthError(400, "invalid_request", "Send a nonce of 16 to 64 letters and digits.")
    return Listener(service.name, nonce)


def _seconds(fields: Fields) -> float:
    given = fields.get("wait", "0")
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", given, re.ASCII):
        raise OAuthError(400, "invalid_request", "`wait` is a number of seconds.")
    return min(float(given), conf.FEED_WAIT.total_seconds())
