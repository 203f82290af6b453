"""One search box: a person, an address or network, or the id of a session."""

import uuid
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.contrib.auth import get_user_model
from django.db.models import Q

from devices.models import DeviceSessionQuerySet


def search(sessions: DeviceSessionQuerySet, term: str) -> DeviceSessionQuerySet:
    """The sessions a term stands for; every one if it is empty. Each way is served by an index."""
    term = term.strip()
    if not term:
        return sessions
    try:
        return sessions.filter(pk=uuid.UUID(term))
    except ValueError:
        pass
    try:
        if "/" in term:
            return sessions.within(ip_network(term, strict=False))
        return sessions.filter(ip_address=str(_plain(term)))
    except ValueError:
        return sessions.filter(of_people(term))


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


def _plain(address: str) -> IPv4Address | IPv6Address:
    """An address as sessions keep it. Raises ValueError."""
    ip = ip_address(address)
    return (ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip


def of_people(term: str) -> Q:
    """By how a name begins. Not by `istartswith`, which no index serves; many models keep lower case."""
    found = Q()
    for name in names_of_people():
        for start in {term, term.lower()}:
            found |= Q(**{f"user__{name}__startswith": start})
    return found
