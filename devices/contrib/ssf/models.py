"""Streams of events that services follow, and the events that they have not acknowledged yet."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models import PrimaryModel


class StreamStatus(models.TextChoices):
    """Of SSF 1.0: events are sent, held, or not kept at all."""

    ENABLED = "enabled", _("Enabled")
    PAUSED = "paused", _("Paused")
    DISABLED = "disabled", _("Disabled")


class Stream(PrimaryModel):
    """What a service wants to hear of, and how. Written by `streams` and, while it is sent, by `push`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its name in SERVICE_CLIENTS.
    client = models.CharField(max_length=128, db_index=True)
    # Where events are pushed to (RFC 8935). Empty: they are polled (RFC 8936).
    endpoint_url = models.CharField(max_length=2048, blank=True)
    # What is sent there in the header `Authorization`, encrypted.
    authorization = models.TextField(blank=True)
    events_requested = models.JSONField(null=True)
    description = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=8, choices=StreamStatus, default=StreamStatus.ENABLED)
    status_reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # When the service last asked for a verification event.
    verified_at = models.DateTimeField(null=True)
    # From when on a worker may push. That worker moves it to the time until which it is reserved.
    due_at = models.DateTimeField(default=timezone.now)
    # How often in a row the service was not there.
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        constraints = [
            models.CheckConstraint(
                name="devices_ssf_status", condition=Q(status__in=StreamStatus.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client} {self.id}"


class RemovedSubject(PrimaryModel):
    """Whom a stream excludes. Only `streams` writes it."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="removed")
    subject = models.JSONField()
    digest = models.CharField(max_length=64)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("removed subject")
        verbose_name_plural = _("removed subjects")
        constraints = [
            models.UniqueConstraint("stream", "digest", name="devices_ssf_removed_once"),
        ]

    def __str__(self) -> str:
        return self.digest


class PendingEvent(PrimaryModel):
    """An event that a stream has to deliver; deleted once it has. Written by `outbox` alone."""

    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, related_name="pending", db_index=False
    )
    jti = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Whom it is about: their events are delivered in order.
    about = models.CharField(max_length=64)
    claims = models.JSONField()
    created_at = models.DateTimeField(db_index=True)
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("pending event")
        verbose_name_plural = _("pending events")
        indexes = [models.Index("stream", "id", name="devices_ssf_in_order")]

    def __str__(self) -> str:
        return str(self.jti)
