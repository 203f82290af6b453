"""Statistics of all sessions. Each figure links to the list behind it."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.core import failover
from devices.core.liveness import invalidation
from devices.core.log.counters import QUARTER
from devices.core.notifications.reasons import country
from devices.core.staff import statistics
from devices.core.staff.filters import UNKNOWN
from devices.models import DeviceType, RevokeReason, StatsSnapshot

from . import charts
from .charts import Bar, Series
from .columns import grouped, of_people

NAME = "devices_devicesession_dashboard"

TRAITS: dict[str, Any] = {
    "device_type": gettext_lazy("Device types"),
    "os": gettext_lazy("Operating systems"),
    "browser": gettext_lazy("Browsers"),
    "country": gettext_lazy("Countries"),
    "login_method": gettext_lazy("Sign-in methods"),
}


# What a value is called, if not as it is.
NAMES: dict[str, Callable[[str], Any]] = {
    "device_type": lambda value: dict(DeviceType.choices).get(value, value),
    "country": lambda code: country(code) if code else "",
}


class Tile(NamedTuple):
    """One figure, large."""

    label: str | Promise
    number: int
    url: str = ""
    note: str = ""

    @property
    def shown(self) -> str:
        """The number, with thousands separators."""
        return grouped(self.number)


class Panel(NamedTuple):
    """A chart, and the same as a table."""

    title: str | Promise
    chart: SafeString
    head: str | Promise
    series: list[Series]

    @property
    def rows(self) -> list[tuple[str, list[Bar]]]:
        """The chart as a table: each label with its bars of all series."""
        return [
            (bars[0].label, list(bars))
            for bars in zip(*(each.bars for each in self.series), strict=True)
        ]


class ShowsDashboard(admin.ModelAdmin):
    """Adds the dashboard to the admin of sessions."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dashboard)
        return [path("dashboard/", view, name=NAME), *super().get_urls()]

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        """Render the dashboard. Raises PermissionDenied without the permission to view sessions."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        counted = statistics.current()
        window = failover.lost_window(timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dashboard"),
            "opts": self.opts,
            "counted": counted,
            "liveness": invalidation.status(),
            "lost": window,
            "repairs": failover.repairs(window) if window else (),
            "is_drawn": charts.IS_DRAWN,
        }
        if counted.counted_at is not None:
            context |= _shown(counted)
        return TemplateResponse(request, "admin/devices/devicesession/dashboard.html", context)


def overview(user: Any) -> dict[str, Any]:
    """The figures on the admin's first page, for staff who may see sessions."""
    if not user.has_perm("devices.view_devicesession"):
        return {}
    counted = statistics.current()
    context = {"may_view": True, "counted": counted, "is_drawn": charts.IS_DRAWN}
    if counted.counted_at is not None:
        context |= {
            "tiles": _tiles(counted),
            "quarters": _of_quarters(counted.data["quarters"]),
            "failing": _of_failing_countries(counted.data),
            "countries": _of_trait("country", counted.data["by"]["country"]),
        }
    return context


def _shown(counted: StatsSnapshot) -> dict[str, Any]:
    data = counted.data
    return {
        "tiles": _tiles(counted),
        "panels": [
            _of_quarters(data["quarters"]),
            _of_days(data["days"]),
            _of_failures(data["days"]),
        ],
        "small_panels": [
            _of_failing_countries(data),
            *(_of_trait(trait, values) for trait, values in data["by"].items()),
            _of_reasons(data["revocations_by_reason"]),
        ],
        "people": [
            Bar(str(user), n, _list(user=user.pk, state="active"))
            for user, n in statistics.people(counted)
        ],
        "addresses": [
            Bar(each["value"], each["sessions"], _list(q=each["value"], state="active"))
            for each in data["top"]["addresses"]
        ],
    }


def _tiles(counted: StatsSnapshot) -> list[Tile]:
    live, past = counted.data["live"], counted.data["past_day"]
    return [
        Tile(
            _("Active sessions"),
            live["sessions"],
            _list(state="active"),
            _("of %(people)s") % {"people": of_people(live["people"])},
        ),
        Tile(
            _("Suspicious, waiting for an answer"),
            counted.data["waiting"],
            _list(suspicious="waiting"),
        ),
        Tile(_("Sign-ins"), past["logins"], _list(since="day"), _("in the past 24 hours")),
        Tile(
            _("Revocations"),
            past["revocations"],
            _list(state="revoked"),
            _("in the past 24 hours"),
        ),
        Tile(
            _("Failed sign-ins"),
            past["failed_logins"],
            _failures(counted.data["quarters"][0]["at"]),
            _("in the past 24 hours; %(n)s more were blocked")
            % {"n": grouped(past["blocked_logins"])},
        ),
    ]


def _of_days(days: list[dict[str, Any]]) -> Panel:
    series = [
        Series(_("Sign-ins"), [_day(each, "logins", "on") for each in days]),
        Series(_("Revocations"), [_day(each, "revocations", "ended_on") for each in days]),
    ]
    return Panel(_("Sign-ins and revocations"), charts.upright(*series), _("Day"), series)


def _of_quarters(quarters: list[dict[str, Any]]) -> Panel:
    series = _failed_and_blocked(_quarter, quarters)
    title = _("Sign-ins that failed in the past 24 hours, by the quarter hour (%(zone)s)") % {
        "zone": timezone.get_current_timezone_name()
    }
    return Panel(title, charts.upright(*series), _("Time"), series)


def _quarter(figures: dict[str, Any], kind: str) -> Bar:
    begin = datetime.fromisoformat(figures["at"])
    url = _failures(figures["at"], (begin + QUARTER).isoformat()) if figures[kind] else ""
    return Bar(date_format(timezone.localtime(begin), "TIME_FORMAT"), figures[kind], url)


def _of_failing_countries(data: dict[str, Any]) -> Panel:
    since, values = data["quarters"][0]["at"], data["failures_by_country"]
    series = _failed_and_blocked(partial(_country, since), values)
    both = [
        Bar(failed.label, failed.number + blocked.number, failed.url or blocked.url)
        for failed, blocked in zip(*(each.bars for each in series), strict=True)
    ]
    title = _("Countries from which sign-ins failed in the past 24 hours")
    return Panel(title, charts.lying(Series(_("Failed or blocked"), both)), _("Country"), series)


def _country(since: str, figures: dict[str, Any], kind: str) -> Bar:
    code = figures["value"]
    if code is None:
        return Bar(_("Others"), figures[kind])
    url = _failures(since, country=code or UNKNOWN) if figures[kind] else ""
    return Bar(str(NAMES["country"](code) or _("Unknown")), figures[kind], url)


def _of_failures(days: list[dict[str, Any]]) -> Panel:
    series = _failed_and_blocked(_day, days)
    return Panel(_("Sign-ins that failed"), charts.upright(*series), _("Day"), series)


def _failed_and_blocked(bar: Callable[..., Bar], figures: list[dict[str, Any]]) -> list[Series]:
    kinds = ((_("Failed"), "failed_logins"), (_("Blocked"), "blocked_logins"))
    return [Series(name, [bar(each, kind) for each in figures]) for name, kind in kinds]


def _day(figures: dict[str, Any], kind: str, parameter: str = "") -> Bar:
    day = date.fromisoformat(figures["day"])
    url = _list(**{parameter: figures["day"]}) if parameter else ""
    return Bar(date_format(day, "j M"), figures[kind], url)


def _of_trait(trait: str, values: Iterable[dict[str, Any]]) -> Panel:
    names: Callable[[str], Any] = NAMES.get(trait, str)
    bars = [
        Bar(
            _("Others") if each["value"] is None else str(names(each["value"]) or _("Unknown")),
            each["sessions"],
            "" if each["value"] is None else _list(**{trait: each["value"], "state": "active"}),
        )
        for each in values
    ]
    return _by_name(TRAITS[trait], Series(_("Active sessions"), bars))


def _of_reasons(values: Iterable[dict[str, Any]]) -> Panel:
    names = dict(RevokeReason.choices)
    bars = [
        Bar(str(names.get(reason, reason)), each["sessions"], _list(reason=reason))
        for each in values
        for reason in [each["value"]]
    ]
    return _by_name(_("Why sessions ended"), Series(_("Revocations"), bars))


def _by_name(title: str | Promise, series: Series) -> Panel:
    return Panel(title, charts.lying(series), "", [series])


def _list(**filters: Any) -> str:
    return f"{reverse('admin:devices_devicesession_changelist')}?{urlencode(filters)}"


def _failures(begin: str, end: str = "", **filters: Any) -> str:
    within = {"from": begin, **({"to": end} if end else {}), **filters}
    return f"{reverse('admin:devices_failedlogin_changelist')}?{urlencode(within)}"
