"""Filters of the list of sessions. None of them reads the whole table to learn what it can offer."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.admin import ListFilter, ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from devices.core import database
from devices.core.clients.client import os_family, os_versions
from devices.core.notifications.reasons import country as country_name
from devices.models import (
    Binding,
    DeviceSession,
    DeviceSessionQuerySet,
    DeviceType,
    RevokeReason,
    Status,
)

# Choices are what the newest sessions have, the most frequent ones of it.
NEWEST = 2000
MOST_COMMON = 15

Choices = list[tuple[str, Any]]


class Filter(SimpleListFilter):
    """A filter of the list that selects by one column."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset if value is None else self.narrow(queryset, value)

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        """Return the sessions that have this value."""
        return sessions.filter(**{self.parameter_name: value})


class LinkFilter(Filter):
    """Selects by one value that a link names; there is no list of all of them to choose from."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        if (given := self.value()) is None:
            return []
        try:
            return [(given, self.shown(given))]
        except (ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters from error

    def shown(self, given: str) -> str:
        """Return what the value is called. Raises ValueError for what is none."""
        return given


class ChoiceFilter(Filter):
    """Refuses what it does not offer: were it ignored, an action would reach more than was meant."""

    offered: ClassVar[Choices]

    def __init__(
        self,
        request: HttpRequest,
        params: dict,
        model: type[DeviceSession],
        model_admin: ModelAdmin,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        if self.value() not in (None, *(value for value, _title in self.lookup_choices)):
            raise IncorrectLookupParameters

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return self.offered


class StateFilter(ChoiceFilter):
    """Selects active, revoked or expired sessions."""

    title = _("state")
    parameter_name = "state"
    offered = Status.choices

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        match Status(value):
            case Status.ACTIVE:
                return sessions.active()
            case Status.REVOKED:
                return sessions.revoked()
            case Status.EXPIRED:
                return sessions.expired()


class SinceFilter(ChoiceFilter):
    """Selects sessions that started within a period."""

    title = _("time of sign-in")
    parameter_name = "since"
    PERIODS: ClassVar = {
        "hour": (timedelta(hours=1), _("Past hour")),
        "day": (timedelta(days=1), _("Past 24 hours")),
        "week": (timedelta(days=7), _("Past 7 days")),
        "month": (timedelta(days=30), _("Past 30 days")),
    }

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return [(value, title) for value, (_period, title) in self.PERIODS.items()]

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.filter(created_at__gte=timezone.now() - self.PERIODS[value][0])


class BetweenFilter(ListFilter):
    """From – to, in date and time: by a form, in UTC or in the time zone of the site."""

    title = _("time of sign-in, from – to")
    column: ClassVar[str] = "created_at"
    template = "admin/devices/devicesession/between.html"
    FROM, TO, ZONE = PARAMETERS = ("from", "to", "zone")
    # django-unfold asks each filter for one.
    parameter_name = FROM

    def __init__(
        self,
        request: HttpRequest,
        params: dict,
        model: type[DeviceSession],
        model_admin: ModelAdmin,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name)[-1] for name in self.PARAMETERS if name in params}
        self.given: dict[str, str] = {name: text for name, text in given.items() if text}
        self.used_parameters |= self.given
        self.zone = self.given.get(self.ZONE) or timezone.get_current_timezone_name()
        self.begin, self.end = (self._moment(name) for name in (self.FROM, self.TO))

    def _moment(self, name: str) -> datetime | None:
        """Raises IncorrectLookupParameters: were it ignored, an action would reach more than was meant."""
        if not (text := self.given.get(name)):
            return None
        try:
            zone = ZoneInfo(self.zone)
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return database.in_utc(moment)
        except (ValueError, KeyError, OverflowError, OSError) as error:
            raise IncorrectLookupParameters from error

    def _local(self, moment: datetime | None) -> str:
        """As a field of the form takes it: an address may have an offset, and seconds."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%Y-%m-%dT%H:%M}" if moment else ""

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*self.PARAMETERS]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """One, for the template: the fields of the form as they are, and what else narrows the list."""
        zones = {"UTC", timezone.get_current_timezone_name(), self.zone}
        yield {
            "begin": self._local(self.begin),
            "end": self._local(self.end),
            "zones": [(zone, zone == self.zone) for zone in sorted(zones)],
            "others": [
                (name, value)
                for name, value in changelist.params.items()
                if name not in self.PARAMETERS
            ],
            "is_set": self.begin or self.end,
            "clear": changelist.get_query_string(remove=[*self.PARAMETERS]),
        }

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.begin is not None:
            queryset = self.since(queryset, self.begin)
        if self.end is not None:
            queryset = queryset.filter(**{f"{self.column}__lt": self.end})
        return queryset

    def since(self, rows: Any, begin: datetime) -> Any:
        """Select rows of this moment or later."""
        return rows.filter(**{f"{self.column}__gte": begin})


class SuspiciousFilter(ChoiceFilter):
    """Selects suspicious sign-ins, or those that wait for their owner's answer."""

    title = _("suspicious")
    parameter_name = "suspicious"
    offered = [("yes", _("Suspicious")), ("waiting", _("Waiting for an answer"))]

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.pending_review() if value == "waiting" else sessions.suspicious()


class ReasonFilter(ChoiceFilter):
    """Selects sessions by the reason of their end."""

    title = _("reason it ended")
    parameter_name = "reason"
    offered = RevokeReason.choices

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.revoked().filter(revoke_reason=value)


class DayFilter(LinkFilter):
    """One day, by a link of the dashboard."""

    column: ClassVar[str]

    def shown(self, given: str) -> str:
        day = date.fromisoformat(given)
        self.begin, self.end = (
            database.in_utc(timezone.make_aware(datetime.combine(each, time())))
            for each in (day, day + timedelta(days=1))
        )
        return date_format(day)

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        within = {f"{self.column}__gte": self.begin, f"{self.column}__lt": self.end}
        return sessions.filter(**within)


class SignedInOn(DayFilter):
    """Selects sessions that started on one day."""

    title = _("day of sign-in")
    parameter_name = "on"
    column = "created_at"


class EndedOn(DayFilter):
    """Selects sessions that were ended on one day."""

    title = _("day it ended")
    parameter_name = "ended_on"
    column = "revoked_at"


class DeviceTypeFilter(ChoiceFilter):
    """Selects sessions by device type."""

    title = _("device type")
    parameter_name = "device_type"
    offered = DeviceType.choices


class RecentFilter(Filter):
    """Offers the most common values among the newest sessions; takes any."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        common = _common(request)[self.parameter_name].most_common(MOST_COMMON)
        offered = {value for value, _n in common}
        if offered == {""}:
            offered.clear()
        if (chosen := self.value()) is not None:
            offered.add(chosen)
        return [(value, value or _("Unknown")) for value in sorted(offered)]


def _common(request: Any) -> dict[str, Counter[str]]:
    """What the newest sessions have, read once for all filters of a page."""
    if not hasattr(request, "_common_of_sessions"):
        columns = [each.parameter_name for each in FILTERS if issubclass(each, RecentFilter)]
        newest = DeviceSession.objects.order_by("-created_at", "-id")[:NEWEST]
        rows = list(newest.values_list(*columns))
        request._common_of_sessions = {
            column: Counter(row[n] for row in rows) for n, column in enumerate(columns)
        }
    common: dict[str, Counter[str]] = request._common_of_sessions
    return common


class OsFilter(RecentFilter):
    """Selects sessions by operating system, with or without its version."""

    title = _("operating system")
    parameter_name = "os"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        """Offer a system beside its versions, which are found under it."""
        choices = super().lookups(request, model_admin)
        families = {os_family(value) for value, _title in choices} - dict(choices).keys()
        return sorted([*choices, *((family, family) for family in families)])

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.filter(os__in=os_versions(value))


class BrowserFilter(RecentFilter):
    """Selects sessions by browser or app."""

    title = _("browser")
    parameter_name = "browser"


class CountryFilter(RecentFilter):
    """Selects sessions by country."""

    title = _("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        """Countries by their names, in the order of these."""
        choices = super().lookups(request, model_admin)
        named = [(value, country_name(value) if value else title) for value, title in choices]
        return sorted(named, key=lambda choice: str(choice[1]))


class MethodFilter(RecentFilter):
    """Selects sessions by sign-in method."""

    title = _("sign-in method")
    parameter_name = "login_method"


class BindingFilter(ChoiceFilter):
    """Selects sessions by how they are bound to their device."""

    title = _("binding")
    parameter_name = "binding"
    offered = Binding.choices


class PersonFilter(LinkFilter):
    """One person, by a link."""

    title = _("user")
    parameter_name = "user"

    def shown(self, given: str) -> str:
        self.user = get_user_model()._base_manager.filter(pk=given).first()
        return str(self.user or given)

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.none() if self.user is None else sessions.filter(user_id=self.user.pk)


FILTERS: tuple[type[ListFilter], ...] = (
    PersonFilter,
    SignedInOn,
    EndedOn,
    StateFilter,
    SuspiciousFilter,
    SinceFilter,
    BetweenFilter,
    DeviceTypeFilter,
    OsFilter,
    BrowserFilter,
    CountryFilter,
    MethodFilter,
    BindingFilter,
    ReasonFilter,
)


def is_narrowed(given: Mapping[str, str]) -> bool:
    """Whether a query narrows the list; a form that was sent empty does not."""
    times = (BetweenFilter.FROM, BetweenFilter.TO)
    named = parameters_of(FILTERS) - {*BetweenFilter.PARAMETERS}
    return bool(named & given.keys()) or any(given.get(name) for name in times)


def parameters_of(filters: Iterable[Any]) -> set[str]:
    """The parameters of an address that these filters read."""
    return {
        name
        for each in filters
        for name in getattr(each, "PARAMETERS", None) or (each.parameter_name,)
    }
