"""What goes on with all sessions, at a glance. Each figure leads to the list behind it."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.core.life import liveness
from devices.core.oversight import figures
from devices.models import DeviceType, Figures, RevokeReason

from . import charts
from .charts import Bar, Series
from .columns import grouped, of_people

NAME = "devices_devicesession_dashboard"

TRAITS: dict[str, Any] = {
    "device_type": gettext_lazy("Device types"),
    "os": gettext_lazy("Operating systems"),
    "browser": gettext_lazy("Browsers"),
    "country": gettext_lazy("Countries"),
    "login_method": gettext_lazy("Ways of sign-in"),
}


class Tile(NamedTuple):
    """One figure, large."""

    label: str | Promise
    number: int
    url: str = ""
    note: str = ""

    @property
    def shown(self) -> str:
        return grouped(self.number)


class Panel(NamedTuple):
    """A chart, and the same as a table."""

    title: str | Promise
    chart: SafeString
    head: str | Promise
    series: list[Series]

    @property
    def rows(self) -> list[tuple[str, list[Bar]]]:
        return [
            (bars[0].label, list(bars))
            for bars in zip(*(each.bars for each in self.series), strict=True)
        ]


class ShowsDashboard(admin.ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dashboard)
        return [path("dashboard/", view, name=NAME), *super().get_urls()]

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        counted = figures.current()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dashboard"),
            "opts": self.opts,
            "counted": counted,
            "liveness": liveness.status(),
            "is_drawn": charts.IS_DRAWN,
        }
        if counted.counted_at is not None:
            context |= _shown(counted)
        return TemplateResponse(request, "admin/devices/devicesession/dashboard.html", context)


def _shown(counted: Figures) -> dict[str, Any]:
    data = counted.data
    return {
        "tiles": _tiles(data),
        "panels": [_of_days(data["days"]), _of_failures(data["days"])],
        "small_panels": [
            *(_of_trait(trait, values) for trait, values in data["by"].items()),
            _of_reasons(data["revocations_by_reason"]),
        ],
        "people": [
            Bar(str(user), n, _list(user=user.pk, state="active"))
            for user, n in figures.people(counted)
        ],
        "addresses": [
            Bar(each["value"], each["sessions"], _list(q=each["value"], state="active"))
            for each in data["top"]["addresses"]
        ],
    }


def _tiles(data: dict[str, Any]) -> list[Tile]:
    live, past = data["live"], data["past_day"]
    return [
        Tile(
            _("Living sessions"),
            live["sessions"],
            _list(state="active"),
            _("of %(people)s") % {"people": of_people(live["people"])},
        ),
        Tile(
            _("Suspicious, waiting for an answer"),
            data["waiting"],
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
            note=_("in the past 24 hours; %(n)s more were blocked")
            % {"n": grouped(past["blocked_logins"])},
        ),
    ]


def _of_days(days: list[dict[str, Any]]) -> Panel:
    series = [
        Series(_("Sign-ins"), [_day(each, "logins", "on") for each in days]),
        Series(_("Revocations"), [_day(each, "revocations", "ended_on") for each in days]),
    ]
    return Panel(_("Sign-ins and revocations"), charts.upright(*series), _("Day"), series)


def _of_failures(days: list[dict[str, Any]]) -> Panel:
    series = [
        Series(_("Failed"), [_day(each, "failed_logins") for each in days]),
        Series(_("Blocked"), [_day(each, "blocked_logins") for each in days]),
    ]
    return Panel(_("Sign-ins that failed"), charts.upright(*series), _("Day"), series)


def _day(figures: dict[str, Any], kind: str, parameter: str = "") -> Bar:
    day = date.fromisoformat(figures["day"])
    url = _list(**{parameter: figures["day"]}) if parameter else ""
    return Bar(date_format(day, "j M"), figures[kind], url)


def _of_trait(trait: str, values: Iterable[dict[str, Any]]) -> Panel:
    names = dict(DeviceType.choices) if trait == "device_type" else {}
    bars = [
        Bar(
            _("Others")
            if each["value"] is None
            else str(names.get(each["value"], each["value"]) or _("Unknown")),
            each["sessions"],
            "" if each["value"] is None else _list(**{trait: each["value"], "state": "active"}),
        )
        for each in values
    ]
    series = Series(_("Living sessions"), bars)
    title = TRAITS[trait]
    return Panel(title, charts.lying(series), "", [series])


def _of_reasons(values: Iterable[dict[str, Any]]) -> Panel:
    names = dict(RevokeReason.choices)
    bars = [
        Bar(
            str(names.get(each["value"], each["value"])),
            each["sessions"],
            _list(reason=each["value"]),
        )
        for each in values
    ]
    series = Series(_("Revocations"), bars)
    return Panel(_("Why sessions ended"), charts.lying(series), "", [series])


def _list(**filters: Any) -> str:
    return f"{reverse('admin:devices_devicesession_changelist')}?{urlencode(filters)}"
