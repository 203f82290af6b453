"""Pushes events to where their streams go (RFC 8935): of one person in order, by one sender a stream."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from devices.core.keys import encryption
from devices.core.notifications import worker
from devices.exceptions import KeysUnavailable

from . import endpoint, pending
from .endpoint import Away, Endpoint, Forbidden
from .models import PendingEvent, Stream, StreamStatus

logger = logging.getLogger("devices")

# After a failure the next attempt waits, each time twice as long.
FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=15)
# For how long a sender reserves a stream. If it dies, the next one takes over.
LEASE: Final = timedelta(minutes=2)
# Others wait for the thread, too: mails, and other streams.
ROUND: Final = timedelta(seconds=20)
# Read at once. A round may end with the first of them.
BATCH: Final = 50
# From so many on the wait is no longer, and no more are counted.
MOST_FAILURES: Final = 12
# RFC 8935 §2.2
TAKEN: Final = 202


@worker.huey.task(name="devices.ssf.push")  # type: ignore[untyped-decorator]
def push_stream(stream_id: str, schema: str = "") -> None:
    """Push what a stream has to deliver, unless somebody else is at it."""
    with worker.in_schema(schema):
        wait = push(uuid.UUID(stream_id))
    if wait is not None:
        push_stream.schedule((stream_id, schema), delay=wait.total_seconds())


@worker.periodic("devices.ssf.push_due")
def push_due() -> None:
    """Push what is left: of workers that died, of services that were away. Drop what is too old."""
    due = Stream.objects.filter(
        status=StreamStatus.ENABLED, due_at__lte=timezone.now(), pending__isnull=False
    )
    for key in due.exclude(endpoint_url="").values_list("pk", flat=True).distinct():
        push(key)
    pending.purge()


def push(stream_id: uuid.UUID) -> timedelta | None:
    """Push what is due; how long to wait for what is left, or None if nothing is, or another has it."""
    while (stream := _take(stream_id)) is not None:
        sender = _Sender(stream)
        try:
            wait = sender.run()
        finally:
            sender.give_back()
        if wait is not None:
            return wait
        # Something may have come while this sender still had the stream.
        if not PendingEvent.objects.filter(stream=stream).exists():
            return None
    return None


def _take(stream_id: uuid.UUID) -> Stream | None:
    now = timezone.now()
    free = Stream.objects.filter(pk=stream_id, status=StreamStatus.ENABLED, due_at__lte=now)
    if not free.exclude(endpoint_url="").update(due_at=now + LEASE):
        return None
    return Stream.objects.filter(pk=stream_id).first()


class _Sender:
    """Has a stream for as long as its lease lasts."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.until = stream.due_at
        self.next = timezone.now()
        # Made with the first event: its secret may be encrypted under a key that is gone.
        self.endpoint: Endpoint | None = None

    def run(self) -> timedelta | None:
        """Send all that is due; how long to wait for the rest."""
        # People one of whose events could not be delivered: what came after it waits.
        waiting: dict[str, datetime] = {}
        end, after = timezone.now() + ROUND, 0
        while rows := list(
            PendingEvent.objects.filter(stream=self.stream, pk__gt=after).order_by("pk")[:BATCH]
        ):
            after = rows[-1].pk
            for event in rows:
                if event.about in waiting:
                    continue
                if event.due_at > timezone.now():
                    waiting[event.about] = event.due_at
                    continue
                if timezone.now() > end or not self._renew():
                    return FIRST_WAIT
                try:
                    is_taken = self._send(event)
                except (Away, KeysUnavailable) as error:
                    return self._note_away(error)
                if is_taken:
                    pending.take(self.stream, [event.jti.hex])
                else:
                    until = timezone.now() + _backoff(event.attempts)
                    pending.put_off(event, until)
                    waiting[event.about] = until
        if not waiting:
            return None
        return max(min(waiting.values()) - timezone.now(), FIRST_WAIT)

    def give_back(self) -> None:
        if self.endpoint is not None:
            self.endpoint.close()
        mine = Stream.objects.filter(pk=self.stream.pk, due_at=self.until)
        mine.update(due_at=self.next, failures=self.stream.failures)

    def _send(self, event: PendingEvent) -> bool:
        """Whether the service took it. Raises Away or KeysUnavailable."""
        # The settings may be others than when the stream was made.
        if not endpoint.is_allowed(self.stream.endpoint_url, endpoint.prefixes(self.stream.client)):
            raise Forbidden("The settings do not allow its URL.")
        if self.endpoint is None:
            secret = self.stream.authorization
            secret = encryption.decrypt(secret) if secret else ""
            self.endpoint = Endpoint(self.stream.endpoint_url, secret)
        status, body = self.endpoint.post(pending.sign(event, self.stream))
        self.stream.failures = 0
        if status != TAKEN and event.attempts == 0:
            logger.warning("%s refused an event: %s %r", self.stream.client, status, body[:200])
        return status == TAKEN

    def _note_away(self, error: Exception) -> timedelta:
        wait = _backoff(self.stream.failures)
        if self.stream.failures == 0:
            logger.warning("Events for %s wait: %s", self.stream.client, error)
        self.stream.failures = min(self.stream.failures + 1, MOST_FAILURES)
        self.next = timezone.now() + wait
        return wait

    def _renew(self) -> bool:
        """Whether the stream is still ours, and is to be sent."""
        until = timezone.now() + LEASE
        mine = Stream.objects.filter(
            pk=self.stream.pk, due_at=self.until, status=StreamStatus.ENABLED
        )
        if not mine.update(due_at=until):
            return False
        self.until = until
        return True


def _backoff(attempts: int) -> timedelta:
    return min(FIRST_WAIT * (1 << min(attempts, MOST_FAILURES)), LONGEST_WAIT)
