"""The outbox of events: they are stored in the transaction of the change that they report."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.log.activity import Entry
from devices.core.notifications import worker
from devices.models import Notification

from . import events, pending, push
from .endpoint import PERMISSION
from .events import Event
from .models import PendingEvent, RemovedSubject, Stream, StreamStatus


def services() -> list[str]:
    """The names of those that may have streams."""
    given = conf.SERVICE_CLIENTS
    return [name for name, client in given.items() if PERMISSION in client.get("may", ())]


def observe(entries: Sequence[Entry]) -> None:
    """Store events in the transaction of their change. Without a service this costs nothing."""
    if services():
        write([event for entry in entries if (event := events.of_entry(entry)) is not None])


def observe_notification(notice: Notification) -> None:
    """The same for what an e-mail reports to the owner."""
    if services() and (event := events.of_notification(notice)) is not None:
        write([event])


def tell_method_removed(user_id: Any, method: str) -> None:
    """Add the event that a sign-in method was removed, a "factor" or an "identity", in its transaction."""
    if services():
        write([events.of_removal(user_id, method)])


def write(happened: Sequence[Event]) -> None:
    """Note events for each stream that wants them."""
    if not happened:
        return
    streams = list(
        Stream.objects.filter(client__in=services()).exclude(status=StreamStatus.DISABLED)
    )
    if not streams:
        return
    removed: dict[Any, list[events.Subject]] = {stream.pk: [] for stream in streams}
    for key, subject in RemovedSubject.objects.filter(stream__in=streams).values_list(
        "stream_id", "subject"
    ):
        removed[key].append(subject)
    rows = []
    for event in happened:
        claims = event.claims
        rows += [
            _pending(stream, event.about, claims)
            for stream in streams
            if event.type in pending.delivered(stream)
            and not any(events.matches(each, event.subject) for each in removed[stream.pk])
        ]
    PendingEvent.objects.bulk_create(rows)
    wake(streams)


def verify(stream: Stream, state: str | None) -> None:
    """Have a verification event delivered, by which a service sees that it hears us (SSF 1.0 §8.1.4)."""
    subject = {"format": "opaque", "id": str(stream.pk)}
    body = {} if state is None else {"state": state}
    event = Event(events.VERIFICATION, subject, body, "")
    with database.atomic():
        _pending(stream, event.about, event.claims).save(force_insert=True)
        wake([stream])


def _pending(stream: Stream, about: str, claims: dict[str, Any]) -> PendingEvent:
    now = timezone.now()
    return PendingEvent(stream=stream, about=about, claims=claims, created_at=now, due_at=now)


def wake(streams: Iterable[Stream]) -> None:
    """Have events pushed once the transaction is committed."""
    _, schema = database.place()
    for key in [str(stream.pk) for stream in streams if stream.endpoint_url]:
        enqueue = partial(worker.enqueue, push.push_stream, key, schema)
        database.on_commit(enqueue, robust=True)
