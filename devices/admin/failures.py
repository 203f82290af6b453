"""Sign-ins that failed or were blocked, for staff to read: whose account, from where, when, and how often."""

from datetime import datetime
from ipaddress import IPv6Network
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.core.clients.ip_address import IPV6_CUSTOMER
from devices.core.log.counters import QUARTER
from devices.core.notifications.reasons import country as country_name
from devices.core.staff.filters import UNKNOWN, IPNetwork, network_of
from devices.models import FailedLogin, FailureKind

from .columns import NOTHING, breakable, grouped
from .filters import BetweenFilter, ChoiceFilter, LinkFilter, PersonFilter
from .read_only import ReadOnlyLog
from .search import at, of_people


class FailureFilter(ChoiceFilter):
    """Selects failures by what failed."""

    title = gettext_lazy("what failed")
    parameter_name = "kind"
    offered = FailureKind.choices


class FailedFrom(LinkFilter):
    """One country, by a link of the dashboard."""

    title = gettext_lazy("country")
    parameter_name = "country"

    def shown(self, given: str) -> str:
        return _("Unknown") if given == UNKNOWN else country_name(given)

    def narrow(self, rows: Any, value: str) -> Any:
        return rows.filter(country="" if value == UNKNOWN else value)


class FailedBetween(BetweenFilter):
    """From – to: rows of which some failure may have been then."""

    title = gettext_lazy("time, from – to")
    column = "first_at"

    def since(self, rows: Any, begin: datetime) -> Any:
        # By the index of `first_at`; a row is of a quarter of an hour at most.
        return rows.filter(first_at__gt=begin - QUARTER, last_at__gte=begin)


@admin.display(description=gettext_lazy("time"))
def when(row: FailedLogin) -> str:
    """Show when it failed: the first time, and the last if there were several."""
    first, last = localtime(row.first_at), localtime(row.last_at)
    shown = date_format(first, "DATETIME_FORMAT")
    if row.count > 1:
        shown += f" – {date_format(last, 'TIME_FORMAT')}"
    iso = row.first_at.isoformat()
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, first.tzname(), shown)


@admin.display(description=gettext_lazy("account"))
def account(row: FailedLogin) -> str:
    """The account, as a link to its sessions."""
    if row.user_id is None:
        return format_html('<span class="quiet">{}</span>', _("no such account"))
    query = urlencode({"user": row.user_id})
    return format_html('<a href="{}?{}"><bdi>{}</bdi></a>', _sessions(), query, row.user)


@admin.display(description=gettext_lazy("address"))
def address(row: FailedLogin) -> str:
    """The address, or the network of IPv6, as a link to the sessions that were there."""
    if row.ip_address is None:
        return NOTHING
    suffix = f"/{IPV6_CUSTOMER}" if ":" in row.ip_address else ""
    shown = f"{row.ip_address}{suffix}"
    query = urlencode({"q": shown})
    return format_html('<a href="{}?{}">{}</a>', _sessions(), query, breakable(shown))


@admin.display(description=gettext_lazy("country"))
def country(row: FailedLogin) -> str:
    """Show where the address is, or where its network is registered."""
    return country_name(row.country) if row.country else NOTHING


@admin.display(description=gettext_lazy("what failed"))
def failure(row: FailedLogin) -> str:
    """Show what failed, or that it was blocked."""
    return row.get_kind_display()


@admin.display(description=gettext_lazy("attempts"))
def attempts(row: FailedLogin) -> str:
    """Show how often."""
    return grouped(row.count)


@admin.register(FailedLogin)
class FailedLoginAdmin(ReadOnlyLog):
    """The admin of failed sign-ins. Nobody can add, change or delete them."""

    list_display = (when, account, address, country, failure, attempts)
    list_filter = (PersonFilter, FailureFilter, FailedFrom, FailedBetween)
    newest_first = ("-first_at", "-id")
    too_long = gettext_lazy("That took too long. Choose a shorter time, or an address.")
    list_select_related = ("user",)
    search_fields = ("user", "ip_address")
    search_help_text = gettext_lazy("How someone’s login begins, or an address or network.")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        if not (term := search_term.strip()):
            return queryset, False
        try:
            found = at("ip_address", _of_customers(network_of(term)))
        except ValueError:
            found = of_people(term)
        return queryset.filter(found), False


def _of_customers(network: IPNetwork) -> IPNetwork:
    """The network as it is kept: nothing is narrower than what an IPv6 customer has."""
    if isinstance(network, IPv6Network) and network.prefixlen > IPV6_CUSTOMER:
        return network.supernet(new_prefix=IPV6_CUSTOMER)
    return network


def _sessions() -> str:
    return reverse("admin:devices_devicesession_changelist")
