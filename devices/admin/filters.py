"""Filters of the list of sessions. None of them reads the whole table to learn what it can offer."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from devices.models import (
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
    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset if value is None else self.narrow(queryset, value)

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.filter(**{self.parameter_name: value})


class ChoiceFilter(Filter):
    """Refuses what it does not offer: were it ignored, an action would reach more than was meant."""

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


class StateFilter(ChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return Status.choices

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        match Status(value):
            case Status.ACTIVE:
                return sessions.active()
            case Status.REVOKED:
                return sessions.revoked()
            case Status.EXPIRED:
                return sessions.expired()


class SinceFilter(ChoiceFilter):
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


class SuspiciousFilter(ChoiceFilter):
    title = _("suspicious")
    parameter_name = "suspicious"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return [("yes", _("Suspicious")), ("waiting", _("Waiting for an answer"))]

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.waiting() if value == "waiting" else sessions.suspicious()


class ReasonFilter(ChoiceFilter):
    title = _("reason of the end")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return RevokeReason.choices

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.revoked().filter(revoke_reason=value)


class DayFilter(Filter):
    """One day, by a link of the dashboard; there is no list of days to choose from."""

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        if (given := self.value()) is None:
            return []
        try:
            day = date.fromisoformat(given)
            self.begin = timezone.make_aware(datetime.combine(day, time()))
            self.end = timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error
        return [(given, date_format(day))]

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        within = {f"{self.column}__gte": self.begin, f"{self.column}__lt": self.end}
        return sessions.filter(**within)


class SignedInOn(DayFilter):
    title = _("day of sign-in")
    parameter_name = "on"
    column = "created_at"


class EndedOn(DayFilter):
    title = _("day of the end")
    parameter_name = "ended_on"
    column = "revoked_at"


class DeviceTypeFilter(ChoiceFilter):
    title = _("device type")
    parameter_name = "device_type"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        return DeviceType.choices


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
    title = _("operating system")
    parameter_name = "os"


class BrowserFilter(RecentFilter):
    title = _("browser")
    parameter_name = "browser"


class CountryFilter(RecentFilter):
    title = _("country")
    parameter_name = "country"


class MethodFilter(RecentFilter):
    title = _("way of sign-in")
    parameter_name = "login_method"


class PersonFilter(Filter):
    """One person, by a link; there is no list of all of them to choose from."""

    title = _("user")
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Choices:
        if (pk := self.value()) is None:
            return []
        try:
            self.user = get_user_model()._base_manager.filter(pk=pk).first()
        except (ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters from error
        return [(pk, str(self.user or pk))]

    def narrow(self, sessions: DeviceSessionQuerySet, value: str) -> DeviceSessionQuerySet:
        return sessions.none() if self.user is None else sessions.filter(user_id=self.user.pk)


FILTERS: tuple[type[Filter], ...] = (
    PersonFilter,
    SignedInOn,
    EndedOn,
    StateFilter,
    SuspiciousFilter,
    SinceFilter,
    DeviceTypeFilter,
    OsFilter,
    BrowserFilter,
    CountryFilter,
    MethodFilter,
    ReasonFilter,
)
PARAMETERS = {each.parameter_name for each in FILTERS}
