"""Erasure: deleting an account, in whatever way, also deletes what no foreign key reaches.

The cascade deletes what refers to the user: sessions, the log, e-mails, the login history. This module does
the rest: names in Django's admin log, the user's key in other users' logs, digests of the login,
statistics with the name, and cookie sessions.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models import Q, QuerySet

from devices.core import citus, database
from devices.models import DeviceSession

from . import logins, throttling
from .log import activity
from .sessions.revocation import lock
from .staff import statistics

# What an entry in Django's log of the admin says in place of a name.
ERASED: Final = "-"
# Cookie sessions read at once.
STRETCH: Final = 1000


def erase(user: AbstractBaseUser) -> Counter[str]:
    """Delete an account and every trace of it; how many rows of what went or were cleared.

    The same as `user.delete()`, and cookie sessions besides: to find those all of them have to be read.
    """
    with database.atomic():
        lock(user)
        erased = account_leaves(user)
        erased["cookie sessions"] = _end_cookie_sessions(user)
        # By our own alias, whichever has read the account.
        _, deleted = user.delete(using=database.alias())
        for label, n in deleted.items():
            erased[str(apps.get_model(label)._meta.verbose_name_plural)] += n
    return +erased


def account_leaves(user: AbstractBaseUser, origin: Any = None) -> Counter[str]:
    """Clear what no foreign key reaches, in the transaction that deletes the account.

    `origin` is what Django deletes: the account, or a set of accounts whose names are cleared at one go.
    """
    return account_left(user, places(user), origin)


def account_left(user: AbstractBaseUser, places: Iterable[str], origin: Any = None) -> Counter[str]:
    """As `account_leaves`, also once the account is deleted: with its places from before that."""
    citus.write_in_turn()
    return +Counter(
        {
            "login limits": throttling.erase(logins.username_of(user), places),
            "mentions in the log": activity.erase_actor(user.pk),
            "entries of the admin's log": _clear_admin_log(user, origin),
            "figures": statistics.clear(),
        }
    )


def places(user: AbstractBaseUser) -> set[str]:
    """Where and on what the account may have attempts of its own."""
    mine = DeviceSession.objects.filter(user_id=user.pk)
    rows = mine.values_list("device_key", "ip_address", "last_ip").iterator()
    return {place for row in rows for place in row if place}


def _names(user: AbstractBaseUser) -> set[str]:
    """Their login, and their address if that is another."""
    email = getattr(user, get_user_model().get_email_field_name(), "")
    return {name for name in (logins.username_of(user), email) if name}


def _clear_admin_log(user: AbstractBaseUser, origin: Any) -> int:
    """Django notes there how each object called itself at the time; a user by their login, as a rule."""
    if not apps.is_installed("django.contrib.admin"):
        return 0
    entries = _rows("admin.LogEntry")
    if isinstance(origin, QuerySet) and issubclass(origin.model, get_user_model()):
        # No index serves this. So it is read through once, and not once for each of them.
        if vars(origin).setdefault("_devices_cleared_by", user.pk) != user.pk:
            return 0
        return _clear_admin_log_of(list(origin.all()), entries)
    kind = ContentType.objects.get_for_model(user, for_concrete_model=False)
    named = Q(content_type=kind, object_id=str(user.pk))
    for name in _names(user):
        named |= Q(object_repr__iexact=name)
        if "@" in name:
            # An address belongs to one user, wherever it occurs; a login such as "al" is part of many words.
            named |= Q(object_repr__icontains=name) | Q(change_message__icontains=name)
    return entries.filter(named).update(object_repr=ERASED, change_message="")


def _clear_admin_log_of(users: Sequence[AbstractBaseUser], entries: QuerySet) -> int:
    keys = {str(user.pk) for user in users}
    kinds = {
        kind.pk
        for kind in ContentType.objects.get_for_models(
            *{type(user) for user in users}, for_concrete_models=False
        ).values()
    }
    names = {name.casefold() for user in users for name in _names(user)}
    addresses = {name for name in names if "@" in name}
    # Where the "@" is in them, and how long they are: few, however many addresses.
    shapes = {(name.index("@"), len(name)) for name in addresses}
    read = entries.values_list(
        "pk", "content_type_id", "object_id", "object_repr", "change_message"
    )
    named = [
        pk
        for pk, kind, key, called, message in read.iterator(chunk_size=STRETCH)
        if (kind in kinds and key in keys)
        or called.casefold() in names
        or _is_addressed(called, addresses, shapes)
        or _is_addressed(message, addresses, shapes)
    ]
    cleared = 0
    for start in range(0, len(named), STRETCH):
        batch = named[start : start + STRETCH]
        cleared += entries.filter(pk__in=batch).update(object_repr=ERASED, change_message="")
    return cleared


def _is_addressed(text: str, addresses: Set[str], shapes: Set[tuple[int, int]]) -> bool:
    """Whether a text contains one of these addresses, in lower case."""
    at = text.find("@")
    if at < 0:
        return False
    text = text.casefold()
    at = text.find("@")
    while at >= 0:
        if any(
            at >= before and text[at - before : at - before + length] in addresses
            for before, length in shapes
        ):
            return True
        at = text.find("@", at + 1)
    return False


def _end_cookie_sessions(user: AbstractBaseUser) -> int:
    """The cookie sessions in the database in which this user is signed in, or signing in."""
    if not apps.is_installed("django.contrib.sessions"):
        return 0
    stored = _rows("sessions.Session")
    names = _names(user)
    theirs = []
    for row in stored.order_by("pk").iterator(chunk_size=STRETCH):
        data = row.get_decoded()
        text = json.dumps(data, default=str, ensure_ascii=False).casefold()
        is_theirs = data.get("_auth_user_id") == str(user.pk)
        if is_theirs or any("@" in name and name.casefold() in text for name in names):
            theirs.append(row.pk)
    ended, _ = stored.filter(pk__in=theirs).delete()
    return ended


def _rows(label: str) -> QuerySet:
    """All rows of a model, where they are written: a replica may not have them yet."""
    model = apps.get_model(label)
    rows: QuerySet = model._default_manager.using(router.db_for_write(model))
    return rows
