"""How unusual a login is, beside what is known of the user's past. Pure: no database, no clock.

Each rule gives a reason with evidence that can be shown to a person, and its points. Their sum is the score,
and the score gives the level. Without a past, or without a place, nothing is unusual.
"""

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from devices.conf import conf
from devices.core.clients.geolocation import Location
from devices.models import RiskLevel

logger = logging.getLogger(__name__)

# Nobody travels faster; and below the distance, the place of an address is too uncertain to tell.
FASTEST: Final = 900  # kilometres per hour
FAR: Final = 300  # kilometres
EARTH_RADIUS: Final = 6371.0088  # kilometres
# So many failures in a row before a success are more than mistyping.
GUESSES: Final = 5
# A device that has proved to be the one it was before carries its owner: what is unusual about the place
# counts for little then, since people travel and use VPNs, and a password alone does not make such a device.
SHARE_OF_KNOWN: Final = 0.25
# A user with so many identities on one type of device deletes the cookie again and again.
HABIT: Final = 3

POINTS: Final = {
    "new_device": 25,
    "new_country": 40,
    "impossible_travel": 20,
    "dormant": 20,
    "failures": 25,
    "disowned_device": 60,
    "refresh_device_class": 40,
    "refresh_country": 20,
}
LEVELS: Final = {
    RiskLevel.LOW: 10,
    RiskLevel.MEDIUM: 40,
    RiskLevel.HIGH: 60,
    RiskLevel.CRITICAL: 90,
}


class Reason(NamedTuple):
    """Why a login is unusual, and how much that counts."""

    code: str
    points: int
    # What a person can be shown, as JSON has it.
    evidence: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored with a session and in the activity log."""
        return {"code": self.code, "points": self.points, **self.evidence}


@dataclass(frozen=True)
class Assessment:
    """The reasons why a login is unusual, their score and its level."""

    reasons: tuple[Reason, ...] = ()
    score: int = 0
    level: RiskLevel = RiskLevel.NONE

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored in the activity log."""
        reasons = [reason.as_json() for reason in self.reasons]
        return {"level": str(self.level), "score": self.score, "reasons": reasons}

    def is_at_least(self, level: RiskLevel) -> bool:
        """Return whether the level is this one or a higher one."""
        order = list(RiskLevel)
        return order.index(self.level) >= order.index(level)


class Kind(NamedTuple):
    """What a device cannot change: its class and the family of its system. Empty where not known."""

    device_type: str = ""
    os: str = ""


class Known(NamedTuple):
    """A device the user was seen on."""

    fingerprint: str  # its browser, system and class, as a digest
    first: datetime
    last: datetime
    kind: Kind = Kind()


class Sight(NamedTuple):
    """When and where the user was last seen."""

    at: datetime
    place: Location


@dataclass(frozen=True)
class Past:
    """What is known of a user's logins. What is too old to count is not in it."""

    devices: Mapping[str, Known] = field(default_factory=dict)  # by key
    countries: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)  # first, last
    networks: Mapping[str, datetime] = field(default_factory=dict)
    disowned: Mapping[str, datetime] = field(default_factory=dict)  # keys the owner said no to
    last: Sight | None = None


@dataclass(frozen=True)
class Login:
    """A login as the rules see it."""

    at: datetime
    key: str
    fingerprint: str
    # Whether nobody else can forge the key: an app's ID, a browser's cookie.
    is_proven: bool
    device: str = ""
    place: Location = Location()
    network: str = ""
    # Wrong passwords in a row before the right one.
    failures: int = 0
    kind: Kind = Kind()

    def is_known(self, past: Past) -> bool:
        """Whether this very device was seen before."""
        return self.is_proven and self.key in past.devices

    def is_alike(self, past: Past) -> bool:
        """Whether a device of this make was seen before."""
        return any(known.fingerprint == self.fingerprint for known in past.devices.values())


Rule = Callable[[Login, Past], Reason | None]


def assess(login: Login, past: Past) -> Assessment:
    """The reasons for which this login is unusual, and how unusual they make it. A first one never is."""
    if past.last is None:
        return Assessment()
    return _weigh(_applied((*RULES, *conf.RISK_RULES), login, past))


def new_device(login: Login, past: Past) -> Reason | None:
    """A kind of device that was never seen; or, elsewhere, one like it that does not prove to be it."""
    if login.is_known(past) or login.key in past.disowned:
        return None
    is_alike = login.is_alike(past)
    if is_alike and (not login.network or login.network in past.networks):
        # At home, in a private window or after the cookies were cleared.
        return None
    if is_alike and _comes_unproven(login, past) and not login.place.is_uncertain:
        # Where nothing is known of the place, an unknown network is all that speaks against a stranger.
        return None
    return _reason("new_device", device=login.device, alike=is_alike)


def new_country(login: Login, past: Past) -> Reason | None:
    """A country in which the user was not seen for as long as the past is remembered."""
    country = login.place.certain_country
    if not country or not past.countries or country in past.countries:
        return None
    return _discounted(
        _reason("new_country", country=country, known=sorted(past.countries)), login, past
    )


def impossible_travel(login: Login, past: Past) -> Reason | None:
    """Impossible travel: too far from the last place for the time, by the coordinates of a city database."""
    if past.last is None:
        return None
    distance = kilometres(past.last.place, login.place)
    if distance is None or distance <= FAR:
        return None
    hours = max((login.at - past.last.at) / timedelta(hours=1), 0.0)
    if distance <= FASTEST * hours:
        return None
    reason = _reason(
        "impossible_travel",
        kilometres=round(distance),
        hours=round(hours, 2),
        origin=_shown(past.last.place),
        place=_shown(login.place),
    )
    return _discounted(reason, login, past)


def kilometres(a: Location, b: Location) -> float | None:
    """How far apart two places are, on a ball of the Earth's mean radius; None if coordinates are missing."""
    if a.is_uncertain or b.is_uncertain:
        return None
    if a.latitude is None or a.longitude is None or b.latitude is None or b.longitude is None:
        return None
    phi, psi = math.radians(a.latitude), math.radians(b.latitude)
    h = math.sin((psi - phi) / 2) ** 2
    h += math.cos(phi) * math.cos(psi) * math.sin(math.radians(b.longitude - a.longitude) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(h)))


def dormant(login: Login, past: Past) -> Reason | None:
    """An account without a login for a long time."""
    if past.last is None:
        return None
    away = login.at - past.last.at
    if away <= conf.RISK_DORMANT_DAYS:
        return None
    return _discounted(_reason("dormant", days=away.days), login, past)


def failures(login: Login, past: Past) -> Reason | None:
    """The right password after many wrong ones."""
    if login.failures < GUESSES:
        return None
    return _discounted(_reason("failures", failures=login.failures), login, past)


def disowned_device(login: Login, past: Past) -> Reason | None:
    """A device that the owner has said is not theirs."""
    if login.key not in past.disowned:
        return None
    return _reason("disowned_device", device=login.device)


RULES: Final[tuple[Rule, ...]] = (
    new_device,
    new_country,
    impossible_travel,
    dormant,
    failures,
    disowned_device,
)


class Bearer(NamedTuple):
    """Who holds a session: at its login, and at a refresh."""

    kind: Kind
    country: str
    device: str = ""
    is_uncertain: bool = False  # that country is only the network's

    @property
    def certain_country(self) -> str:
        """The country, or "" if it is uncertain."""
        return "" if self.is_uncertain else self.country


# Classes that turn into each other, as long as the system stays what it is: an app shows a page.
_CLASSES: Final = dict.fromkeys(("mobile", "tablet", "desktop", "app"), "screen") | {"unknown": ""}
# "Show the desktop's site": an Android says then that it is Linux, an iPhone or iPad that it is a Mac.
_DISGUISES: Final = {
    frozenset(pair)
    for pair in (("Android", "Linux"), ("iPadOS", "macOS"), ("iOS", "macOS"), ("iOS", "iPadOS"))
}


def assess_refresh(began: Bearer, now: Bearer) -> Assessment:
    """The reasons why the user of a session may not be the one who started it."""
    reasons = []
    countries = began.certain_country, now.certain_country
    if is_other_kind(began.kind, now.kind):
        # No relay changes the device, so then the country of a network counts, too.
        countries = began.country, now.country
        before = began.device or began.kind.device_type
        reasons.append(_reason("refresh_device_class", began=before, now=now.device))
    if all(countries) and began.country != now.country:
        reasons.append(_reason("refresh_country", began=began.country, now=now.country))
    return _weigh(reasons)


def is_other_kind(began: Kind, now: Kind) -> bool:
    """Whether no device is both: an update, or showing the desktop's site, makes no other."""
    one, other = (_CLASSES.get(each.device_type, each.device_type) for each in (began, now))
    if not one or not other:
        return False
    if one != other:
        return True
    systems = frozenset((began.os, now.os)) - {""}
    return len(systems) == 2 and systems not in _DISGUISES


def _applied(rules: Iterable[Rule], login: Login, past: Past) -> Iterator[Reason]:
    for rule in rules:
        try:
            if reason := rule(login, past):
                _check(reason)
                yield reason
        except Exception as error:  # whatever a stranger's rule may raise; no login may fail for it
            logger.warning("The risk rule %r failed: %s", rule, type(error).__name__)


def _check(reason: Any) -> None:
    """Raise TypeError for what a rule must not return: it is counted, and stored as JSON."""
    if not (isinstance(reason, Reason) and isinstance(reason.points, int | float)):
        raise TypeError("A risk rule returns a Reason or None.")
    json.dumps(reason.as_json())


def _weigh(reasons: Iterable[Reason]) -> Assessment:
    reasons = tuple(reason for reason in reasons if reason.points > 0)
    score = min(sum(reason.points for reason in reasons), 100)
    level = RiskLevel.NONE
    for name, threshold in (LEVELS | conf.RISK_LEVELS).items():
        if threshold is not None and score >= threshold:
            level = RiskLevel(name)
    return Assessment(reasons, score, level)


def _reason(code: str, **evidence: Any) -> Reason:
    return Reason(code, {**POINTS, **conf.RISK_POINTS}[code], evidence)


def _discounted(reason: Reason, login: Login, past: Past) -> Reason:
    if not login.is_known(past):
        return reason
    return reason._replace(points=round(reason.points * SHARE_OF_KNOWN))


def _comes_unproven(login: Login, past: Past) -> bool:
    """Whether devices of this make are used to come without a proof, or with another one each time."""
    alike = {
        key: known for key, known in past.devices.items() if known.fingerprint == login.fingerprint
    }
    if not login.is_proven:
        return login.fingerprint in alike
    seen_once = [known for known in alike.values() if known.last - known.first < timedelta(days=1)]
    return len(seen_once) >= HABIT


def _shown(place: Location) -> str:
    return ", ".join(part for part in (place.city, place.country) if part)
