"""Which sessions are meant: filters as text in, a set out; the same for staff by REST and for commands."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, Self

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import CharField, F, Q, TextField
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from devices.conf import conf
from devices.core import database, logins
from devices.core.clients.client import os_versions
from devices.core.clients.operators import asn_in
from devices.lookups import Within
from devices.models import SUSPICIOUS, DeviceSession, DeviceSessionQuerySet, DeviceType, Status

# Selects sessions whose country, browser or system is unknown.
UNKNOWN = "unknown"
LONGEST = 512

IPNetwork = IPv4Network | IPv6Network


class InvalidSelection(Exception):
    """Filters that cannot be understood: what is wrong, by the name of the filter."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = dict(errors)


def network_of(text: str) -> IPNetwork:
    """A network, or an address as a network of one. Raises ValueError."""
    if "%" in text:
        raise ValueError
    network = ip_network(text, strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        # Sessions keep an IPv4 address mapped into IPv6 as what it is.
        mapped = IPv6Address(int(network.network_address)).ipv4_mapped
        if mapped is not None:
            return ip_network((mapped, network.prefixlen - 96), strict=False)
    return network


def _email_field() -> Any:
    model = get_user_model()
    columns: dict[str, Any] = {field.name: field for field in model._meta.fields}
    return columns.get(model.get_email_field_name()) or columns[model.USERNAME_FIELD]


def _email(text: str) -> str:
    here, column = database.connection(), _email_field()
    is_text = isinstance(column, CharField | TextField)
    # With another initialization vector each time: no row is equal.
    if is_text and column.get_db_prep_save(text, here) != column.get_db_prep_save(text, here):
        raise ValueError(_("Email addresses are encrypted here: give the key of the user."))
    return text


def _people(email: str) -> Any:
    model, column = get_user_model(), _email_field().name
    # As it was written or in lower case, as many models keep it: `iexact` is served by no index.
    exactly = logins.match(column, "exact", email)
    return model._base_manager.filter(exactly | logins.match(column, "exact", email.lower()))


def _text(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError(_("Must not be empty."))
    if len(text) > LONGEST or "\x00" in text:
        raise ValueError(_("Is too long, or has control characters."))
    return text


def _key(text: str) -> Any:
    field = get_user_model()._meta.pk
    try:
        key = field.to_python(text)
        field.run_validators(key)
        return key
    except (ValidationError, ValueError, OverflowError) as error:
        raise ValueError(_("Is not the key of a user.")) from error


def _network(text: str) -> IPNetwork:
    try:
        return network_of(text)
    except ValueError as error:
        raise ValueError(
            _("Give an address or a network, such as 203.0.113.7 or 203.0.113.0/24.")
        ) from error


def _asn(text: str) -> int:
    if not conf.ASN_DATABASE:
        # Nobody has a number then, which would read as "nobody was there".
        raise ValueError(_("Networks are not known by number here: set ASN_DATABASE."))
    if (asn := asn_in(text)) is None:
        raise ValueError(_("Give the number of a network, such as AS64496."))
    return asn


def _country(text: str) -> str:
    if text.lower() == UNKNOWN:
        return ""
    if not re.fullmatch("[A-Za-z]{2}", text):
        raise ValueError(_("Give the two letters of ISO 3166, such as DE, or “unknown”."))
    return text.upper()


def _label(text: str) -> str:
    return "" if text.lower() == UNKNOWN else text


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is not None and moment.tzinfo is not None:
            return database.in_utc(moment)
    except (ValueError, OverflowError):
        pass
    raise ValueError(_("Give a time and its zone, such as 2026-03-01T12:00:00Z."))


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(_("Give true or false."))
    return text == "true"


def _one_of(choices: list[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(_("Give one of: %(choices)s.") % {"choices": ", ".join(choices)})
        return text

    return read


def _read_by(read: Callable[[str], Any]) -> Any:
    """A filter that asks for nothing unless it is given, as text that is read by this."""
    return field(default=None, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The sessions that meet every filter. One that is None asks for nothing; none at all is everybody."""

    # Who: the key of the user, or their email (where users have none: their login).
    user: Any = _read_by(_key)
    email: str | None = _read_by(_email)
    # Whence: where it began, and where it was last active.
    ip: IPNetwork | None = _read_by(_network)
    last_ip: IPNetwork | None = _read_by(_network)
    asn: int | None = _read_by(_asn)
    country: str | None = _read_by(_country)
    # By what.
    os: str | None = _read_by(_label)
    browser: str | None = _read_by(_label)
    device_type: str | None = _read_by(_one_of(DeviceType.values))
    user_agent: str | None = _read_by(_text)
    # The state of the session.
    status: Status | None = _read_by(lambda text: Status(_one_of(Status.values)(text)))
    suspicious: bool | None = _read_by(_flag)
    # When: the moment itself belongs to what is after it.
    active_before: datetime | None = _read_by(_moment)
    active_after: datetime | None = _read_by(_moment)
    issued_before: datetime | None = _read_by(_moment)
    issued_after: datetime | None = _read_by(_moment)

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Raises InvalidSelection, also for a filter that there is none, or that is empty.

        An empty one is no filter left out: were it taken for that, `?ip=` would mean everybody.
        """
        filters: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, text in given.items():
            try:
                filters[name] = _READ[name](_text(text))
            except KeyError:
                errors[name] = str(_("There is no such filter."))
            except ValueError as error:
                errors[name] = str(error)
        if errors:
            raise InvalidSelection(errors)
        return cls(**filters)

    @property
    def is_everybody(self) -> bool:
        """Whether it selects all sessions of all users."""
        return all(getattr(self, name) is None for name in _READ)

    def sessions(self) -> DeviceSessionQuerySet:
        """In no order. Who, whence, by what and when it began are served by indexes; the rest reads rows."""
        chosen = DeviceSession.objects.filter(self._facts(), self._times())
        if self.email is not None:
            chosen = chosen.filter(user__in=_people(self.email))
        if self.suspicious:
            chosen = chosen.suspicious()
        elif self.suspicious is not None:
            chosen = chosen.exclude(risk_level__in=SUSPICIOUS)
        match self.status:
            case Status.ACTIVE:
                return chosen.active()
            case Status.REVOKED:
                return chosen.revoked()
            case Status.EXPIRED:
                return chosen.expired()
        return chosen

    def _facts(self) -> Q:
        facts = Q()
        for column in ("asn", "country", "browser", "device_type"):
            if (value := getattr(self, column)) is not None:
                facts &= Q(**{column: value})
        if self.os is not None:
            facts &= Q(os__in=os_versions(self.os))
        if self.user is not None:
            facts &= Q(user_id=self.user)
        if self.user_agent is not None:
            facts &= Q(user_agent__icontains=self.user_agent)
        for column in ("ip_address", "last_ip"):
            network = self.ip if column == "ip_address" else self.last_ip
            if network is None:
                continue
            is_one = network.num_addresses == 1
            # An address is asked for as what it is, which costs less than a network of one.
            here = str(network.network_address)
            facts &= Q(**{column: here}) if is_one else Q(Within(F(column), network))
        return facts

    def _times(self) -> Q:
        times = Q()
        for name, lookup in (
            ("active_before", "last_active__lt"),
            ("active_after", "last_active__gte"),
            ("issued_before", "created_at__lt"),
            ("issued_after", "created_at__gte"),
        ):
            if (moment := getattr(self, name)) is not None:
                times &= Q(**{lookup: moment})
        if self.active_before is not None:
            # It began before that, too, and of this there is an index.
            times &= Q(created_at__lt=self.active_before)
        return times


_READ: dict[str, Callable[[str], Any]] = {
    each.name: each.metadata["read"] for each in fields(Selection)
}
