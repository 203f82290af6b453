"""A session as a card: what people see of one, in words, and the name that they give it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, Literal, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.core.log.sanitize import has_controls
from devices.models import SUSPICIOUS, Activity, DeviceSession

from . import wording

# Half of the site's idle limit: sessions that were not used for so long are collapsed, at the end.
INACTIVE: Final = timedelta(days=14)
UNUSUAL: Final = ("login.suspicious", "refresh.suspicious", "session.suspicious")


class NameForm(forms.Form):
    """By the rules of the API: at most 64 characters that act on nothing around them. Empty takes it away."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )

    def __init__(self, session: DeviceSession, data: Any = None) -> None:
        # Many stand on one page.
        super().__init__(data, initial={"name": session.name}, auto_id=f"{session.pk}-%s")
        self.session = session
        self.fields["name"].widget.attrs["placeholder"] = session.device

    def clean_name(self) -> str:
        """Refuse control characters."""
        name: str = self.cleaned_data["name"]
        if has_controls(name):
            raise ValidationError(
                _("Control characters are not allowed."), code="control_characters"
            )
        return name


@dataclass(frozen=True)
class Card:
    """A session as the page shows it."""

    session: DeviceSession
    is_current: bool
    place: str
    method: str
    last_active: str  # "now", "3 hours ago"
    signed_in: str
    expires: str  # "in 4 weeks"
    ended: str  # "2 days ago"; "" while it has not
    is_active_now: bool
    # Whether the login was unusual, and why, in sentences.
    is_strange: bool
    hints: Sequence[str]
    # The owner has been asked whether it was them, and has not said.
    is_waiting: bool
    form: NameForm
    # By what of its beginning it differs from another one in the list that is called the same.
    told_apart: Literal["", "day", "moment"] = ""

    @property
    def icon(self) -> str:
        """The name of the device type's icon."""
        return wording.icon(self.session)

    @property
    def called(self) -> str:
        """Its name for a title, which holds no markup."""
        return wording.isolated(self.session)

    @property
    def address(self) -> str:
        """The latest IP address."""
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
            place=wording.place(session),
            method=wording.method(session),
            last_active=wording.ago(session.last_active, now),
            signed_in=wording.ago(session.created_at, now),
            expires=wording.ahead(session.expires_at, now),
            ended=wording.ago(session.ended_at, now) if session.ended_at else "",
            is_active_now=not session.ended_at and now - session.last_active < wording.NOW,
            is_strange=session.risk_level in SUSPICIOUS,
            hints=hints.get(str(session.pk), ()),
            is_waiting=session.risk_level in SUSPICIOUS and session.reviewed_at is None,
            form=refused if refused and refused.session == session else NameForm(session),
        )
        for session in sessions
    ]


class Group(NamedTuple):
    """Devices of one kind."""

    title: str
    cards: list[Card]


def groups(shown: Sequence[Card], *, by_kind: bool) -> list[Group]:
    """The cards by what kind of device they are, each kind where its first card is; told apart.

    Without `by_kind` they stay in their order.
    """
    kinds: dict[str, Group] = {}
    for card in told_apart(shown):
        title = wording.kind(card.session) if by_kind else ""
        kinds.setdefault(title, Group(title, [])).cards.append(card)
    return list(kinds.values())


def told_apart(shown: Sequence[Card]) -> list[Card]:
    """The same cards; those called the same say when they began, as exactly as it takes."""
    names = Counter(str(card.session) for card in shown)
    days = Counter(map(_name_and_day, shown))
    return [
        replace(card, told_apart="day" if days[_name_and_day(card)] == 1 else "moment")
        if names[str(card.session)] > 1
        else card
        for card in shown
    ]


def _name_and_day(card: Card) -> tuple[str, date]:
    return str(card.session), timezone.localdate(card.session.created_at)


def _hints(sessions: Sequence[DeviceSession]) -> dict[str, list[str]]:
    unusual = [session for session in sessions if session.risk_level in SUSPICIOUS]
    found = Activity.objects.filter(
        session__in=[session.pk for session in unusual],
        user_id__in={session.user_id for session in unusual},
        kind__in=UNUSUAL,
    ).order_by("at", "id")
    # The latest finding is the most telling.
    return {str(pk): wording.reasons(data) for pk, data in found.values_list("session_id", "data")}
