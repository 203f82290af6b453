"""One search box: a person, an address or network, an operator of networks, or the ID of a session."""

import uuid
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError
from django.db.models import F, Q

from devices.core import logins
from devices.core.clients.operators import asn_in
from devices.core.staff.filters import IPNetwork, network_of
from devices.lookups import Within
from devices.models import Activity, DeviceSession, DeviceSessionQuerySet


def search(sessions: DeviceSessionQuerySet, term: str) -> DeviceSessionQuerySet:
    """The sessions that match a term; all if it is empty. Each kind of search has an index."""
    term = term.strip()
    if not term:
        return sessions
    try:
        return sessions.filter(pk=uuid.UUID(term))
    except ValueError:
        pass
    if (asn := asn_in(term)) is not None:
        began = DeviceSession.objects.order_by().filter(asn=asn).values("pk")
        did = Activity.objects.order_by().filter(asn=asn).values("session_id")
        return sessions.filter(pk__in=began.union(did))
    try:
        network = network_of(term)
    except ValueError:
        return sessions.filter(of_people(term))
    return sessions.filter(pk__in=_seen_at(network))


def _seen_at(network: IPNetwork) -> Any:
    """The ids of the sessions that began, were last used, or did anything at an address of this network.

    Three statements by an index each: joined by OR they would be none.
    """
    every = DeviceSession.objects.order_by()
    began = every.filter(at("ip_address", network)).values("pk")
    used = every.filter(at("last_ip", network)).values("pk")
    did = Activity.objects.order_by().filter(at("ip_address", network))
    return began.union(used, did.values("session_id"))


def at(column: str, network: IPNetwork) -> Q:
    """Whether an address belongs to a network. One address is asked for as what it is, which costs less."""
    if network.num_addresses == 1:
        return Q(**{column: str(network.network_address)})
    return Q(Within(F(column), network))


def names_of_people() -> list[str]:
    """The columns of the user model that people are found by: the login, and the email if it is indexed."""
    model = get_user_model()
    columns = {field.name: field for field in model._meta.fields}
    email = columns.get(model.get_email_field_name())
    names = {model.USERNAME_FIELD}
    # Without an index, looking for an email would read the whole table of users.
    if email is not None and (email.unique or getattr(email, "db_index", False)):
        names.add(email.name)
    return sorted(names)


def of_people(term: str) -> Q:
    """By how a name begins. Not by `istartswith`, which no index serves; many models keep lower case."""
    found = Q()
    for name in names_of_people():
        for start in {term, term.lower()}:
            found |= _begins(name, start)
    return found


def _begins(name: str, start: str) -> Q:
    begins = logins.match(name, "startswith", start, "user__")
    try:
        DeviceSession.objects.filter(begins)
    except FieldError:
        # The column has a hash of the name, by which only a whole one is found.
        return logins.match(name, "exact", start, "user__")
    return begins
