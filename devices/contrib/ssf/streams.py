"""How services manage their streams (SSF 1.0 §8.1). Writes Stream, but for its leases, and RemovedSubject."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from devices.core import database
from devices.core.keys import encryption
from devices.core.notifications.review_links import page

from . import endpoint, events, outbox, pending
from .models import RemovedSubject, Stream, StreamStatus

PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
# Of one service.
MOST_STREAMS: Final = 8
MOST_REMOVED: Final = 10_000
MOST_TYPES: Final = 64
# Between two verification events that a service asks for.
VERIFICATION_INTERVAL: Final = timedelta(seconds=30)
LONGEST_STATE: Final = 1024
LONGEST_TEXT: Final = 255

Values = Mapping[str, Any]


class Wrong(Exception):
    """What a service asked for cannot be done; `status` is that of the answer."""

    def __init__(self, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status


def create(client: str, values: Values) -> Stream:
    """Raises Wrong."""
    with database.atomic():
        database.lock_name(f"devices.ssf.streams:{client}")
        if Stream.objects.filter(client=client).count() >= MOST_STREAMS:
            raise Wrong("There are too many streams of this client.", 409)
        stream = Stream(client=client)
        _apply(stream, values, is_whole=True)
        stream.save(force_insert=True)
    return stream


def find(client: str, stream_id: Any) -> Stream:
    """A stream of this service. Raises Wrong if there is none."""
    try:
        key = uuid.UUID(stream_id) if isinstance(stream_id, str) else None
    except ValueError:
        key = None
    stream = None if key is None else Stream.objects.filter(pk=key, client=client).first()
    if stream is None:
        raise Wrong("There is no such stream.", 404)
    return stream


def all_of(client: str) -> list[Stream]:
    """Return the streams of a service."""
    return list(Stream.objects.filter(client=client).order_by("created_at", "pk"))


def change(stream: Stream, values: Values, *, is_whole: bool) -> None:
    """Take what a service may say of its stream: all of it, or only what it names. Raises Wrong."""
    now = describe(stream)
    for name in ("iss", "aud", "events_supported", "events_delivered"):
        if name in values and values[name] != now[name]:
            raise Wrong(f"`{name}` is not for the receiver to set.")
    _apply(stream, values, is_whole=is_whole)
    fields = ["endpoint_url", "authorization", "events_requested", "description"]
    stream.save(update_fields=fields)


def delete(stream: Stream) -> None:
    """Delete a stream, with its pending events."""
    stream.delete()


def set_status(stream: Stream, status: Any, reason: Any) -> None:
    """Enable, pause or disable a stream. What a disabled one holds is dropped. Raises Wrong."""
    if status not in StreamStatus.values:
        raise Wrong("`status` is one of enabled, paused, disabled.")
    with database.atomic():
        stream.status, stream.status_reason = status, _text(reason or "", "reason")
        stream.save(update_fields=["status", "status_reason"])
        if status == StreamStatus.DISABLED:
            pending.forget(stream)
        else:
            outbox.wake([stream])


def verify(stream: Stream, state: Any) -> None:
    """Have a verification event delivered. Raises Wrong."""
    if state is not None and not events.is_text(state, LONGEST_STATE):
        raise Wrong(f"`state` is a string of at most {LONGEST_STATE} characters.")
    now = timezone.now()
    # Of two that ask at once, one is heard.
    asked = Stream.objects.filter(pk=stream.pk).exclude(verified_at__gt=now - VERIFICATION_INTERVAL)
    if not asked.update(verified_at=now):
        raise Wrong("A verification was asked for a moment ago.", 429)
    if stream.status != StreamStatus.DISABLED:
        outbox.verify(stream, state)


def add_subject(stream: Stream, subject: Any) -> None:
    """Include a user or session again. At first everybody is included. Raises Wrong."""
    _demand_subject(subject)
    RemovedSubject.objects.filter(stream=stream, digest=_digest(subject)).delete()


def remove_subject(stream: Stream, subject: Any) -> None:
    """Tell of a person or session no more. Raises Wrong."""
    _demand_subject(subject)
    with database.atomic():
        database.lock_name(f"devices.ssf.removed:{stream.pk}")
        if RemovedSubject.objects.filter(stream=stream).count() >= MOST_REMOVED:
            raise Wrong("There are too many removed subjects.", 403)
        RemovedSubject.objects.bulk_create(
            [RemovedSubject(stream=stream, subject=subject, digest=_digest(subject))],
            ignore_conflicts=True,
        )


def describe(stream: Stream) -> dict[str, Any]:
    """The configuration of a stream (SSF 1.0 §8.1.1)."""
    delivery = {"method": POLL, "endpoint_url": page_of_poll(stream)}
    if stream.endpoint_url:
        delivery = {"method": PUSH, "endpoint_url": stream.endpoint_url}
    said = {
        "stream_id": str(stream.pk),
        "iss": events.issuer(),
        "aud": stream.client,
        "delivery": delivery,
        "events_supported": list(events.SUPPORTED),
        "events_delivered": pending.delivered(stream),
        "min_verification_interval": int(VERIFICATION_INTERVAL.total_seconds()),
    }
    if stream.events_requested is not None:
        said["events_requested"] = stream.events_requested
    if stream.description:
        said["description"] = stream.description
    return said


def page_of_poll(stream: Stream) -> str:
    """Where a service polls: another address for each stream."""
    return f"{page('devices-ssf:poll')}?stream_id={stream.pk}"


def _apply(stream: Stream, values: Values, *, is_whole: bool) -> None:
    if is_whole or "events_requested" in values:
        stream.events_requested = _types(values.get("events_requested"))
    if is_whole or "description" in values:
        stream.description = _text(values.get("description", ""), "description")
    if is_whole or "delivery" in values:
        _apply_delivery(stream, values.get("delivery", {"method": POLL}))


def _apply_delivery(stream: Stream, delivery: Any) -> None:
    method = delivery.get("method") if isinstance(delivery, dict) else None
    if method == POLL:
        stream.endpoint_url = stream.authorization = ""
        return
    if method != PUSH:
        raise Wrong(f"`delivery.method` is {PUSH} or {POLL}.")
    url, secret = delivery.get("endpoint_url"), delivery.get("authorization_header", "")
    if not (isinstance(url, str) and endpoint.is_allowed(url, endpoint.prefixes(stream.client))):
        raise Wrong("`delivery.endpoint_url` is none that this client may have events pushed to.")
    if not (isinstance(secret, str) and len(secret) <= endpoint.LENGTH and _is_header(secret)):
        raise Wrong("`delivery.authorization_header` is no value of a header.")
    stream.endpoint_url = url
    # A new URL needs the header again: it is sent only to the URL that it came with.
    stream.authorization = encryption.encrypt(secret) if secret else ""


def _is_header(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _types(given: Any) -> list[str] | None:
    if given is None:
        return None
    is_list = isinstance(given, list) and len(given) <= MOST_TYPES
    if not (is_list and all(events.is_text(each, LONGEST_TEXT) for each in given)):
        raise Wrong("`events_requested` is a list of URIs.")
    return list(given)


def _text(given: Any, name: str) -> str:
    if not isinstance(given, str) or "\0" in given:
        raise Wrong(f"`{name}` is a string.")
    return given[:LONGEST_TEXT]


def _demand_subject(subject: Any) -> None:
    if not events.is_subject(subject):
        raise Wrong("`subject` is neither a person (iss_sub) nor a session (opaque) of ours.")


def _digest(subject: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()
