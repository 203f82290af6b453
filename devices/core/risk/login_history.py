"""What is remembered of a user's logins: devices, countries, networks. The only writer of LoginHistory.

A login brings it along with the lock on the user's row; it is written only when there is news. Called under
that lock.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.clients.client import Label, os_family
from devices.core.clients.device_key import fingerprint
from devices.core.clients.geolocation import Location
from devices.core.statements import Parameter, Update
from devices.models import DeviceSession, LoginHistory, RiskLevel

from .rules import Assessment, Kind, Known, Login, Past, Sight, assess, is_other_kind

# How much is remembered of one user: what was seen last stays.
MOST: Final = 50
# A sight is written anew after this time, or at another place.
FRESH: Final = timedelta(hours=1)


def login_of(session: DeviceSession, failures: int = 0) -> Login:
    """The login that a session began with, as the rules see it."""
    label = Label(session.device, session.device_type, session.browser, session.os)
    kind, like = _kind(label), fingerprint(session.user_id, label)
    place = Location(
        session.country,
        session.city,
        session.latitude,
        session.longitude,
        session.is_place_uncertain,
    )
    return Login(
        at=session.created_at,
        key=_key(session.device_key),
        fingerprint=_key(like),
        is_proven=session.device_key != like,
        device=session.device,
        place=place,
        network=_network(session.user_id, session.ip_address),
        failures=failures,
        kind=kind,
    )


def is_another_kind(account: AbstractBaseUser, key: str, label: Label) -> bool:
    """Whether the device of this key is known, as another class of device or system than it says now."""
    row: LoginHistory | None = getattr(account, "devices_login_history", None)
    known = row.data["devices"].get(_key(key)) if row and key else None
    return known is not None and is_other_kind(Kind(*known[3]), _kind(label))


def knows(account: AbstractBaseUser, key: str) -> bool:
    """Whether the account was signed in on the device of this key, and did not call it a stranger's."""
    past = _read(getattr(account, "devices_login_history", None), timezone.now())
    return bool(key) and _key(key) in past.devices and _key(key) not in past.disowned


def judge(account: AbstractBaseUser, login: Login) -> tuple[Assessment, bool]:
    """How unusual the login is, and whether it is news.

    It is learned from, unless it is too unusual to be the user's own.

    `account` is the locked row, with its past. While it waited for the lock, another login may have written
    the past; so it is written over what was read, or else read again.
    """
    row: LoginHistory | None = getattr(account, "devices_login_history", None)
    past = _read(row, login.at)
    assessment = assess(login, past)
    if not _is_news(login, past):
        return assessment, False
    if row is not None and not assessment.is_at_least(RiskLevel.HIGH):
        news = _stored(learned(login, past))
        if _rewrite(database.alias()).run({"pk": row.pk, "read": row.data, **news}):
            return assessment, True
    past = _read(LoginHistory.objects.filter(user_id=account.pk).first(), login.at)
    assessment = assess(login, past)
    if not assessment.is_at_least(RiskLevel.HIGH):
        _write(account.pk, learned(login, past))
    return assessment, True


def assess_only(account: AbstractBaseUser, login: Login) -> Assessment:
    """How unusual the login would be; nothing is learned from it. `account` as in `judge`."""
    return assess(login, _read(getattr(account, "devices_login_history", None), login.at))


def mark_known(user_id: Any, login: Login) -> None:
    """The owner says that it was them: the device and the place are known from now on."""
    past = _read(LoginHistory.objects.filter(user_id=user_id).first(), login.at)
    _write(user_id, learned(login, past))


def mark_unknown(user_id: Any, login: Login) -> None:
    """The owner says that it was not them: forget what came with that login, and know the device for it."""
    past = _read(LoginHistory.objects.filter(user_id=user_id).first(), login.at)
    began = login.at - timedelta(seconds=1)
    known = past.devices.get(login.key)
    # One that was the owner's before: a stranger has its id, which proves nothing from now on.
    is_theirs = login.is_proven and not (known and known.first < began)
    last = past.last if past.last is None or past.last.at < began else None
    if past.last and last is None:
        # Not where the stranger was, but that somebody was there.
        last = Sight(past.last.at, Location())
    _write(
        user_id,
        Past(
            devices={key: known for key, known in past.devices.items() if key != login.key},
            countries={code: span for code, span in past.countries.items() if span[0] < began},
            networks={name: at for name, at in past.networks.items() if name != login.network},
            disowned={**past.disowned, login.key: login.at} if is_theirs else past.disowned,
            last=last,
        ),
    )


def erase(user_id: Any) -> None:
    """Delete the login history of a user."""
    LoginHistory.objects.filter(user_id=user_id).delete()


def purge(limit: int) -> int:
    """Delete at most so many pasts in which nothing counts any more, and return how many."""
    old = LoginHistory.objects.filter(seen_at__lt=timezone.now() - conf.RISK_MEMORY_DAYS)
    keys = list(old.order_by("seen_at").values_list("pk", flat=True)[:limit])
    return old.filter(pk__in=keys).delete()[0]


def _network(user_id: Any, address: str | None) -> str:
    """The network of an address, /16 or IPv6's /32, as a mark that means something for this user alone."""
    if not address:
        return ""
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    network = ipaddress.ip_network((ip, 16 if ip.version == 4 else 32), strict=False)
    return hashlib.sha256(f"{user_id}\0{network}".encode()).hexdigest()[:12]


def _key(key: str) -> str:
    """As much of a device's key as it takes to tell one user's devices apart."""
    return key[:16]


def _kind(label: Label) -> Kind:
    return Kind(label.device_type, os_family(label.os))


def _is_news(login: Login, past: Past) -> bool:
    if past.last is None or login.at - past.last.at > FRESH:
        return True
    place = login.place
    return (
        login.key not in past.devices
        or bool(login.network and login.network not in past.networks)
        or bool(place.country and place != past.last.place)
    )


def learned(login: Login, past: Past) -> Past:
    """The past with this login in it; of each kind the latest are kept. Pure."""
    known = past.devices.get(login.key)
    first, kind = (known.first, known.kind) if known else (login.at, login.kind)
    country = login.place.certain_country
    countries = dict(past.countries)
    if country:
        countries[country] = (past.countries.get(country, (login.at,))[0], login.at)
    networks = {**past.networks, login.network: login.at} if login.network else past.networks
    devices = {**past.devices, login.key: Known(login.fingerprint, first, login.at, kind)}
    return Past(
        devices=_latest(devices, lambda known: known.last),
        countries=_latest(countries, lambda span: span[1]),
        networks=_latest(networks, lambda at: at),
        disowned={key: at for key, at in past.disowned.items() if key != login.key},
        # Somebody without a place was somewhere; the place before says nothing about the time since.
        last=Sight(login.at, login.place),
    )


def _read(row: LoginHistory | None, now: datetime) -> Past:
    """The past without what is too old."""
    if row is None:
        return Past()
    data, since = row.data, now - conf.RISK_MEMORY_DAYS
    last = data.get("last")
    devices = {
        key: Known(like, _at(a), _at(z), Kind(*kind))
        for key, (like, a, z, kind) in data["devices"].items()
    }
    spans = {code: (_at(a), _at(z)) for code, (a, z) in data["countries"].items()}
    return Past(
        devices={key: known for key, known in devices.items() if known.last >= since},
        countries={code: span for code, span in spans.items() if span[1] >= since},
        networks=_fresh(data["networks"], since),
        disowned=_fresh(data["disowned"], since),
        last=Sight(_at(last[0]), Location(*last[1:])) if last and _at(last[0]) >= since else None,
    )


@cache
def _rewrite(using: str) -> Update:
    """The statement that stores what a login has taught, over the past that it was judged by."""
    fields: Any = LoginHistory._meta
    given = {
        name: Parameter(name, fields.get_field(field))
        for name, field in (
            ("pk", "id"),
            ("read", "data"),
            ("data", "data"),
            ("seen_at", "seen_at"),
        )
    }
    rows = LoginHistory.objects.filter(pk=given["pk"], data=given["read"])
    return Update(rows, using, data=given["data"], seen_at=given["seen_at"])


def _write(user_id: Any, past: Past) -> None:
    LoginHistory.objects.bulk_create(
        [LoginHistory(user_id=user_id, **_stored(past))],
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["data", "seen_at"],
    )


def _stored(past: Past) -> dict[str, Any]:
    data: dict[str, Any] = {
        "devices": {
            key: [known.fingerprint, _seconds(known.first), _seconds(known.last), known.kind]
            for key, known in past.devices.items()
        },
        "countries": {code: [*map(_seconds, span)] for code, span in past.countries.items()},
        "networks": {name: _seconds(at) for name, at in past.networks.items()},
        "disowned": {
            key: _seconds(at) for key, at in _latest(past.disowned, lambda at: at).items()
        },
        "last": [_seconds(past.last.at), *past.last.place] if past.last else None,
    }
    times = [known.last for known in past.devices.values()]
    times += [past.last.at] if past.last else []
    return {"data": data, "seen_at": max(times, default=datetime.fromtimestamp(0, UTC))}


def _latest(items: Mapping[str, Any], time: Any) -> dict[str, Any]:
    return dict(sorted(items.items(), key=lambda item: time(item[1]), reverse=True)[:MOST])


def _fresh(marks: Mapping[str, int], since: datetime) -> dict[str, datetime]:
    return {mark: _at(seconds) for mark, seconds in marks.items() if _at(seconds) >= since}


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
