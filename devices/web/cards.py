"""A session as a card: what people see of one, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone

from devices.models import SUSPICIOUS, Activity, DeviceSession, DeviceType

from . import words
from .forms import NameForm

# Not used for this long, a device is asked about.
INACTIVE: Final = timedelta(days=90)
STRANGE: Final = ("login.suspicious", "refresh.suspicious", "session.suspicious")


@dataclass(frozen=True)
class Card:
    session: DeviceSession
    is_current: bool
    place: str
    method: str
    last_active: str  # "now", "3 hours ago"
    signed_in: str
    expires: str  # "in 4 weeks"
    ended: str  # "2 days ago"; "" while it has not
    is_active_now: bool
    # Whether the login was strange, and why, in sentences.
    is_strange: bool
    hints: Sequence[str]
    # The owner has been asked whether it was them, and has not said.
    is_waiting: bool
    form: NameForm

    @property
    def icon(self) -> str:
        known = self.session.device_type in tuple(DeviceType)
        return self.session.device_type if known else DeviceType.UNKNOWN

    @property
    def called(self) -> str:
        """Its name for a title, which holds no markup."""
        return words.isolated(self.session)

    @property
    def address(self) -> str:
        return self.session.last_ip or self.session.ip_address or ""

    @property
    def first_address(self) -> str:
        """The address of the login, where it was another."""
        first = self.session.ip_address or ""
        return first if first != self.address else ""


def cards(
    sessions: Sequence[DeviceSession],
    current: DeviceSession | None,
    refused: NameForm | None = None,
) -> list[Card]:
    """A card for each, at one further query for all of them. `refused` is the form of a name not taken."""
    now = timezone.now()
    hints = _hints(sessions)
    return [
        Card(
            session=session,
            is_current=current is not None and session.pk == current.pk,
            place=words.place(session),
            method=words.method(session),
            last_active=words.ago(session.last_active, now),
            signed_in=words.ago(session.created_at, now),
            expires=words.ahead(session.expires_at, now),
            ended=words.ago(session.ended_at, now) if session.ended_at else "",
            is_active_now=not session.ended_at and now - session.last_active < words.NOW,
            is_strange=session.risk_level in SUSPICIOUS,
            hints=hints.get(str(session.pk), ()),
            is_waiting=session.risk_level in SUSPICIOUS and session.reviewed_at is None,
            form=refused if refused and refused.session == session else NameForm(session),
        )
        for session in sessions
    ]


def _hints(sessions: Sequence[DeviceSession]) -> dict[str, list[str]]:
    strange = [session.pk for session in sessions if session.risk_level in SUSPICIOUS]
    found = Activity.objects.filter(session__in=strange, kind__in=STRANGE).order_by("at", "id")
    # What was found last tells the most.
    return {str(pk): words.reasons(data) for pk, data in found.values_list("session_id", "data")}
