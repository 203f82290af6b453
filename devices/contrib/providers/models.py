"""Which of a provider's own sessions a session began with."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from devices.models import DeviceSession, PrimaryModel


class ProviderSession(PrimaryModel):
    """The session at the provider, by a digest of its `sid`. Written by `sessions.remember` alone."""

    session = models.OneToOneField(
        DeviceSession,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="provider_session",
        # On Citus the sessions are spread over workers, and no other table may refer to them.
        db_constraint=False,
    )
    digest = models.CharField(max_length=64, db_index=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("session at a provider")
        verbose_name_plural = _("sessions at providers")

    def __str__(self) -> str:
        return self.digest
