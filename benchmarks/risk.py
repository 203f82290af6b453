"""A month of logins of 1,000 people and 50 takeovers: how many false alarms, how many noticed.

    python -m benchmarks.risk                      prints the table
    python -m benchmarks.risk --write docs/risk.md and puts it into the page

How the people behave stands in PEOPLE and is nobody's data. They log in under real user agents, which are
labelled and judged by the code that the site runs; nobody answers a mail, which is the worst case.
"""

import argparse
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import django
from django.conf import settings
from django.test import override_settings

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from devices.core.clients.client import Client, Label, describe_device  # noqa: E402
from devices.core.clients.device_key import fingerprint, proven_key  # noqa: E402
from devices.core.clients.geolocation import Location  # noqa: E402
from devices.core.risk.login_history import learned  # noqa: E402
from devices.core.risk.rules import Assessment, Login, Past, assess  # noqa: E402
from devices.models import RiskLevel  # noqa: E402

# The behaviour. Shares are of people, days or logins, as the name says.
PEOPLE = {
    "people": 1000,
    "logins a day, from": 0.3,
    "logins a day, to": 3.0,
    "warm-up in days, not counted": 60,
    "days": 30,
    "people with a second device": 0.75,
    "people with a third device": 0.35,
    "devices with an app that sends its id": 0.20,
    "people whose client sends no id and keeps no cookie": 0.04,
    "people who lose all cookies when they close the browser": 0.06,
    "logins in a private window, or after the cookies were cleared": 0.02,
    "logins of phones over the mobile network": 0.50,
    "networks of the mobile operator": 8,
    "logins from a network of somebody else": 0.08,
    "people with a VPN": 0.15,
    "days on which they use it": 0.15,
    "countries the VPN lets them choose": 6,
    "people whose browser is behind a relay or satellite": 0.10,
    "networks of the relay": 6,
    "countries where these are registered": 2,
    "people who travel abroad in a month": 0.08,
    "people at a border, whose phone roams": 0.03,
    "their logins over the neighbour's network": 0.20,
    "people who get a new device in a month": 0.03,
    "people who are away for two weeks": 0.05,
    "logins after five or more wrong passwords": 0.005,
    "takeovers": 50,
    "takeovers from the victim's own country": 0.20,
    "takeovers after guessing": 0.30,
    "takeovers from hosting": 0.50,
}

START = datetime(2026, 1, 5, tzinfo=UTC)
# Longer than RISK_DORMANT_DAYS.
ABSENCE = timedelta(days=130)


class City(NamedTuple):
    country: str
    name: str
    latitude: float
    longitude: float
    neighbour: str


CITIES = [
    City("DE", "Berlin", 52.52, 13.40, "PL"),
    City("DE", "Freiburg", 47.99, 7.85, "FR"),
    City("FR", "Lyon", 45.76, 4.84, "CH"),
    City("GB", "Leeds", 53.80, -1.55, "IE"),
    City("ES", "Sevilla", 37.39, -5.99, "PT"),
    City("IT", "Milano", 45.46, 9.19, "CH"),
    City("PL", "Poznan", 52.41, 16.93, "DE"),
    City("US", "Chicago", 41.88, -87.63, "CA"),
    City("US", "Seattle", 47.61, -122.33, "CA"),
    City("BR", "Curitiba", -25.43, -49.27, "PY"),
    City("IN", "Pune", 18.52, 73.86, "BD"),
    City("JP", "Osaka", 34.69, 135.50, "KR"),
]
ELSEWHERE = [
    City("NL", "Amsterdam", 52.37, 4.90, "DE"),
    City("US", "New York", 40.71, -74.01, "CA"),
    City("CH", "Zurich", 47.37, 8.54, "DE"),
    City("SG", "Singapore", 1.35, 103.82, "MY"),
    City("SE", "Stockholm", 59.33, 18.07, "NO"),
    City("GR", "Athens", 37.98, 23.73, "TR"),
    City("TR", "Antalya", 36.90, 30.70, "GR"),
    City("TH", "Phuket", 7.88, 98.39, "MY"),
    City("PT", "Faro", 37.02, -7.93, "ES"),
    City("EG", "Hurghada", 27.26, 33.81, "SD"),
]
ATTACKERS = [
    City("RU", "Samara", 53.20, 50.15, "KZ"),
    City("NG", "Lagos", 6.52, 3.38, "BJ"),
    City("VN", "Hanoi", 21.03, 105.85, "CN"),
    City("RO", "Iasi", 47.16, 27.59, "MD"),
    City("BR", "Recife", -8.05, -34.88, "PY"),
    City("NL", "Amsterdam", 52.37, 4.90, "DE"),
    City("US", "Dallas", 32.78, -96.80, "MX"),
    City("ID", "Jakarta", -6.21, 106.85, "MY"),
]

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0"
# Agents with the version to come, and how frequent they are.
DESKTOPS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36": 45,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/{{v}}.0.0.0": 18,
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Safari/537.36": 12,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.{v} Safari/605.1.15": 10,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0": 9,
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0": 6,
}
PHONES = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{v} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.{v} Mobile/15E148 Safari/604.1": 40,
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36": 45,
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/{v}.0 "
    "Chrome/121.0.0.0 Mobile Safari/537.36": 10,
    "Mozilla/5.0 (Android 14; Mobile; rv:{v}.0) Gecko/{v}.0 Firefox/{v}.0": 5,
}


@dataclass
class Gear:
    """A device."""

    agent: str
    is_phone: bool
    # How it is known again: by an app's id, a cookie, or not at all.
    by: str
    id: str
    bought: datetime
    used: bool = False
    phase: int = 0

    def client(self, at: datetime, fresh: str = "") -> Client:
        # Each browser is updated every four weeks, not all on one day.
        version = 120 + ((at - START).days + self.phase) // 28
        agent = self.agent.replace("{v}", str(version))
        if self.by == "app":
            return Client(user_agent=agent, app_id=self.id)
        return Client(user_agent=agent, browser_id="" if self.by == "none" else fresh or self.id)


@dataclass
class Person:
    id: int
    home: City
    gear: list[Gear]
    rate: float
    clears: bool
    vpn: list[City]
    is_relayed: bool
    at_border: bool
    trip: tuple[datetime, datetime, City] | None
    away: tuple[datetime, datetime] | None
    past: Past = field(default_factory=Past)


class Event(NamedTuple):
    at: datetime
    person: Person
    login: Login
    kind: str  # "owner", "new device" or "takeover"


def people(random: random.Random, n: int, end: datetime) -> Iterator[Person]:
    def chance(of: str) -> bool:
        return random.random() < PEOPLE[of]

    counted = timedelta(days=PEOPLE["days"])
    for number in range(n):
        home = random.choice(CITIES)
        unknown = chance("people whose client sends no id and keeps no cookie")
        count = 1 + chance("people with a second device") + chance("people with a third device")
        gear = [_gear(random, START, is_phone=n == 0, unknown=unknown) for n in range(count)]
        if chance("people who get a new device in a month"):
            gear.append(
                _gear(random, end - counted * random.random(), random.random() < 0.6, unknown)
            )
        trip = None
        if chance("people who travel abroad in a month"):
            leaves = end - counted * random.random()
            city = random.choice([c for c in ELSEWHERE if c.country != home.country])
            trip = (leaves, leaves + timedelta(days=random.randint(3, 14)), city)
        away = None
        if chance("people who are away for two weeks"):
            leaves = end - counted * random.random() - timedelta(days=14)
            away = (leaves, leaves + timedelta(days=14))
        exits = [c for c in ELSEWHERE if c.country != home.country]
        yield Person(
            id=number,
            home=home,
            gear=gear,
            rate=random.uniform(PEOPLE["logins a day, from"], PEOPLE["logins a day, to"]),
            clears=chance("people who lose all cookies when they close the browser"),
            vpn=random.sample(exits, PEOPLE["countries the VPN lets them choose"])
            if chance("people with a VPN")
            else [],
            is_relayed=chance("people whose browser is behind a relay or satellite"),
            at_border=chance("people at a border, whose phone roams"),
            trip=trip,
            away=away,
        )


def _gear(random: random.Random, bought: datetime, is_phone: bool, unknown: bool) -> Gear:
    agents = PHONES if is_phone else DESKTOPS
    [agent] = random.choices([*agents], [*agents.values()])
    is_app = random.random() < PEOPLE["devices with an app that sends its id"]
    by = "none" if unknown else "app" if is_app else "cookie"
    return Gear(agent, is_phone, by, f"{random.random()}", bought, phase=random.randrange(28))


def logins(random: random.Random, person: Person, end: datetime, cities: bool) -> Iterator[Event]:
    at = START
    while True:
        at += timedelta(days=random.expovariate(person.rate))
        if at >= end:
            return
        # People sleep.
        if at.hour < 6 and random.random() < 0.9:
            continue
        if person.away and person.away[0] <= at < person.away[1]:
            continue
        gear = random.choice([gear for gear in person.gear if gear.bought <= at])
        where, network = _whereabouts(random, person, gear, at)
        if person.is_relayed and gear.by != "app":
            network = f"relay-{random.randrange(PEOPLE['networks of the relay'])}"
        # A flight takes its time; nobody signs in on it.
        is_fresh = gear.by == "cookie" and (
            person.clears
            or random.random()
            < PEOPLE["logins in a private window, or after the cookies were cleared"]
        )
        client = gear.client(at, fresh=f"{random.random()}" if is_fresh else "")
        guesses = random.random() < PEOPLE["logins after five or more wrong passwords"]
        failures = random.randint(5, 8) if guesses else min(int(random.expovariate(2)), 4)
        kind = "owner" if gear.used or gear.bought == START else "new device"
        gear.used = True
        yield Event(
            at, person, _login(person.id, client, at, where, network, failures, cities), kind
        )


def _whereabouts(
    random: random.Random, person: Person, gear: Gear, at: datetime
) -> tuple[City, str]:
    is_mobile = (
        gear.is_phone and random.random() < PEOPLE["logins of phones over the mobile network"]
    )
    city, operator = person.home, f"mobile-{person.home.country}"
    abroad = person.trip and person.trip[0] <= at < person.trip[1]
    if abroad and person.trip:
        city, operator = person.trip[2], f"mobile-{person.trip[2].country}"
    is_vpn_day = (
        hash((person.id, at.date().toordinal())) % 1000 < 1000 * PEOPLE["days on which they use it"]
    )
    if person.vpn and is_vpn_day:
        exit_ = random.choice(person.vpn)
        return exit_, f"vpn-{exit_.country}-{random.randrange(3)}"
    if is_mobile:
        if (
            person.at_border
            and random.random() < PEOPLE["their logins over the neighbour's network"]
        ):
            city = city._replace(country=city.neighbour, name="")
            operator = f"mobile-{city.country}"
        return city, f"{operator}-{random.randrange(PEOPLE['networks of the mobile operator'])}"
    if random.random() < PEOPLE["logins from a network of somebody else"]:
        return city, f"cafe-{random.randrange(5000)}"
    return city, f"hotel-{city.name}" if abroad else f"home-{person.id}"


def takeovers(
    random: random.Random, victims: list[Person], end: datetime, cities: bool
) -> Iterator[Event]:
    """The right password, in the wrong hands: on a device and from a network that are not the owner's."""
    for person in victims:
        at = end - timedelta(days=PEOPLE["days"]) * random.random()
        if random.random() < PEOPLE["takeovers from the victim's own country"]:
            city = person.home
        else:
            city = random.choice([c for c in ATTACKERS if c.country != person.home.country])
        gear = _gear(random, START, is_phone=random.random() < 0.3, unknown=random.random() < 0.3)
        guessed = random.random() < PEOPLE["takeovers after guessing"]
        failures = random.randint(5, 60) if guessed else 0
        is_hosted = random.random() < PEOPLE["takeovers from hosting"]
        network = f"{'hoster' if is_hosted else 'there'}-{random.randrange(10_000)}"
        client = gear.client(at)
        yield Event(
            at, person, _login(person.id, client, at, city, network, failures, cities), "takeover"
        )


def _login(
    user: int, client: Client, at: datetime, city: City, network: str, failures: int, cities: bool
) -> Login:
    named = _label(client.user_agent)
    like = fingerprint(user, named)[:16]
    key = proven_key(user, client)[:16]
    place = _by_registry(city, network)
    if cities and city.name:
        place = Location(city.country, city.name, city.latitude, city.longitude)
    return Login(at, key or like, like, bool(key), named.device, place, network, failures)


def _by_registry(city: City, network: str) -> Location:
    """What the registries say: of a relay where it is registered, of a VPN's exit where that is."""
    kind, _, number = network.partition("-")
    if kind == "relay":
        registered = ELSEWHERE[int(number) % PEOPLE["countries where these are registered"]]
        return Location(registered.country, is_uncertain=True)
    return Location(city.country, is_uncertain=kind in ("vpn", "hoster"))


@cache
def _label(agent: str) -> Label:
    return describe_device(Client(user_agent=agent))


class Result(NamedTuple):
    logins: int
    # Mails to owners about themselves: that somebody is suspicious, that an old device is new.
    suspicious: int
    not_new: int
    # And those that were right: on devices that were new.
    new_devices: int
    told: int
    takeovers: int
    noticed: int
    levels: Counter[str]

    @property
    def false_alarms(self) -> float:
        return (self.suspicious + self.not_new) / self.logins

    @property
    def caught(self) -> float:
        return self.noticed / self.takeovers


def run(
    seed: int = 1, people_: int | None = None, takeovers_: int | None = None, cities: bool = False
) -> Result:
    rng = random.Random(seed)
    end = START + timedelta(days=PEOPLE["warm-up in days, not counted"] + PEOPLE["days"])
    crowd = list(people(rng, people_ or PEOPLE["people"], end))
    victims = rng.sample(crowd, takeovers_ or PEOPLE["takeovers"])
    events = [event for person in crowd for event in logins(rng, person, end, cities)]
    events += takeovers(rng, victims, end, cities)
    counted_from = end - timedelta(days=PEOPLE["days"])
    counts: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    for event in sorted(events, key=lambda event: event.at):
        judged = assess(event.login, event.person.past)
        if not judged.is_at_least(RiskLevel.HIGH):
            event.person.past = learned(event.login, event.person.past)
        if event.at < counted_from:
            continue
        mail = _mail(judged)
        counts[event.kind, mail] += 1
        if event.kind == "takeover":
            levels[str(judged.level)] += 1
    owners = {key: n for key, n in counts.items() if key[0] != "takeover"}
    told = {key: n for key, n in counts.items() if key[0] == "takeover"}
    return Result(
        logins=sum(owners.values()),
        suspicious=counts["owner", "suspicious"] + counts["new device", "suspicious"],
        not_new=counts["owner", "new"],
        new_devices=sum(n for key, n in owners.items() if key[0] == "new device"),
        told=counts["new device", "new"],
        takeovers=sum(told.values()),
        noticed=sum(n for key, n in told.items() if key[1]),
        levels=levels,
    )


class Absence(NamedTuple):
    """First logins after an absence: of owners, and of those who took an account over meanwhile."""

    returns: int
    suspicious: int
    takeovers: int
    noticed: int
    levels: Counter[str]


def run_absence(
    seed: int = 1, people_: int | None = None, takeovers_: int | None = None, cities: bool = False
) -> Absence:
    """Everybody is away for ABSENCE; then somebody takes the account over, or else the owner comes back."""
    rng = random.Random(seed)
    leave = START + timedelta(days=PEOPLE["warm-up in days, not counted"])
    end = leave + timedelta(days=PEOPLE["days"])
    crowd = list(people(rng, people_ or PEOPLE["people"], end))
    returns = []
    for person in crowd:
        for event in logins(rng, person, end, cities):
            if event.at >= leave:
                returns.append(event)
                break
            if not assess(event.login, person.past).is_at_least(RiskLevel.HIGH):
                person.past = learned(event.login, person.past)
    victims = rng.sample([person for person in crowd if person.past.last], takeovers_ or 500)
    thefts = list(takeovers(rng, victims, end, cities))
    owners, thieves = ([_judge_later(event) for event in events] for events in (returns, thefts))
    return Absence(
        len(owners),
        sum(_mail(judged) == "suspicious" for judged in owners),
        len(thieves),
        sum(bool(_mail(judged)) for judged in thieves),
        Counter(str(judged.level) for judged in thieves),
    )


def _judge_later(event: Event) -> Assessment:
    return assess(replace(event.login, at=event.at + ABSENCE), event.person.past)


def absence_table(results: dict[str, list[Absence]]) -> str:
    rows = ["| | " + " | ".join(results) + " |", "| --- |" + " --- |" * len(results)]
    for name, value in (
        ("owners who come back", "{returns:,}"),
        ("mails to owners: a suspicious sign-in", "{suspicious}"),
        ("takeovers", "{takeovers:,}"),
        ("takeovers noticed", "{noticed}"),
        ("… as medium, high, critical", "{medium}, {high}, {critical}"),
    ):
        cells = []
        for months in results.values():
            sums = {
                field: sum(getattr(each, field) for each in months) for field in Absence._fields[:4]
            }
            levels = sum((each.levels for each in months), Counter())
            sums |= {level: levels[level] for level in ("medium", "high", "critical")}
            cells.append(value.format(**sums))
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _mail(judged: Assessment) -> str:
    if judged.is_at_least(RiskLevel.MEDIUM):
        return "suspicious"
    return "new" if any(reason.code == "new_device" for reason in judged.reasons) else ""


def table(results: dict[str, list[Result]]) -> str:
    rows = ["| | " + " | ".join(results) + " |", "| --- |" + " --- |" * len(results)]

    def row(name: str, value: str) -> None:
        cells = [value.format(**_sums(each)) for each in results.values()]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")

    row("logins of owners", "{logins:,}")
    row("mails to owners: a suspicious sign-in", "{suspicious}")
    row("mails to owners: a new device that was not new", "{not_new}")
    row("**false alarms, of all logins**", "**{rate:.2%}**")
    row("devices that were new, and told", "{told} of {new_devices}")
    row("takeovers", "{takeovers}")
    row("**takeovers noticed**", "**{noticed} ({caught:.1%})**")
    row("… as medium, high, critical", "{medium}, {high}, {critical}")
    row("… as a new device only", "{only_new}")
    return "\n".join(rows)


def _sums(results: list[Result]) -> dict[str, float]:
    sums: dict[str, float] = {
        name: sum(getattr(each, name) for each in results)
        for name in Result._fields
        if name != "levels"
    }
    levels = sum((each.levels for each in results), Counter())
    sums["rate"] = (sums["suspicious"] + sums["not_new"]) / sums["logins"]
    sums["caught"] = sums["noticed"] / sums["takeovers"]
    sums |= {level: levels[level] for level in ("medium", "high", "critical")}
    sums["only_new"] = sums["noticed"] - levels["medium"] - levels["high"] - levels["critical"]
    return sums


def behaviour() -> str:
    rows = ["| behaviour | |", "| --- | --- |"]
    for name, value in PEOPLE.items():
        shown = (
            f"{value:.1%}".replace(".0%", "%") if isinstance(value, float) and value < 1 else value
        )
        rows.append(f"| {name} | {PEOPLE[name] if 'logins a day' in name else shown} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, help="put the tables between the marks in this page")
    parser.add_argument("--months", type=int, default=5, help="how many, each with another seed")
    options = parser.parse_args()
    seeds = range(1, options.months + 1)
    results = {
        "countries only": [run(seed) for seed in seeds],
        "with a city database": [run(seed, cities=True) for seed in seeds],
    }
    text = table(results)
    absences = {}
    for name, points in (("with `dormant`", {}), ("without", {"dormant": 0})):
        with override_settings(DEVICES={**settings.DEVICES, "RISK_POINTS": points}):
            absences[name] = [run_absence(seed) for seed in (1, 2)]
    absence = absence_table(absences)
    print(text, absence, sep="\n\n")
    if options.write:
        page = options.write.read_text()
        for mark, content in (
            ("figures", text),
            ("absence", absence),
            ("behaviour", behaviour()),
        ):
            head, rest = page.split(f"<!-- {mark} -->\n")
            _, tail = rest.split(f"<!-- end of {mark} -->")
            page = f"{head}<!-- {mark} -->\n{content}\n<!-- end of {mark} -->{tail}"
        options.write.write_text(page)


if __name__ == "__main__":
    main()
