"""The rules on logins, in pure numbers: units, thresholds, and all that is no alarm."""

from datetime import UTC, datetime, timedelta

import pytest

from devices.core.clients.geolocation import Location
from devices.core.risk import login_history, rules
from devices.core.risk.rules import (
    Bearer,
    Kind,
    Known,
    Login,
    Past,
    Reason,
    Sight,
    assess,
    assess_refresh,
    kilometres,
)
from devices.models import RiskLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = Location("DE", "Berlin", 52.52, 13.405)
PARIS = Location("FR", "Paris", 48.8566, 2.3522)
TOKYO = Location("JP", "Tokyo", 35.6762, 139.6503)


def ago(**since) -> datetime:
    return NOW - timedelta(**since)


def past_of(last=BERLIN, at=None, **changes) -> Past:
    at = at or ago(days=3)
    known = {
        "devices": {"phone": Known("safari", ago(days=90), at)},
        "countries": {"DE": (ago(days=90), at)},
        "networks": {"home": at},
        "last": Sight(at, last),
    }
    return Past(**known | changes)


def login(**changes) -> Login:
    phone = {"key": "phone", "fingerprint": "safari", "is_proven": True, "place": BERLIN}
    return Login(**{"at": NOW, "network": "home", "device": "Safari on iOS", **phone} | changes)


def stranger(**changes) -> Login:
    return login(**{"key": "new", "fingerprint": "firefox", "network": "elsewhere"} | changes)


def codes(assessment) -> set[str]:
    return {reason.code for reason in assessment.reasons}


# What is no alarm


def test_the_first_login_is_never_strange():
    assert assess(stranger(place=TOKYO, failures=99), Past()) == rules.Assessment()


def test_the_same_device_at_home_is_nothing():
    assert assess(login(), past_of()).level == RiskLevel.NONE


@pytest.mark.parametrize("last", [BERLIN, Location()])
def test_no_place_known_means_no_alarm_for_the_place(last):
    judged = assess(stranger(place=Location()), past_of(last))
    assert codes(judged) == {"new_device"}


def test_a_known_device_may_travel_and_change_its_networks():
    judged = assess(login(place=TOKYO, network="hotel"), past_of(at=ago(hours=14)))
    assert judged.level in (RiskLevel.NONE, RiskLevel.LOW)
    # Even by VPN, faster than anybody flies.
    assert assess(login(place=TOKYO), past_of(at=ago(hours=1))).level == RiskLevel.LOW


def test_cleared_cookies_at_home_make_no_new_device():
    assert assess(login(key="fresh"), past_of()) == rules.Assessment()


def test_who_never_keeps_a_cookie_is_not_told_each_time():
    fresh = {f"k{n}": Known("safari", ago(days=n), ago(days=n)) for n in range(1, 4)}
    assert codes(assess(login(key="k0", network="train"), past_of(devices=fresh))) == set()
    # But whoever kept it so far is.
    judged = assess(login(key="k0", network="train"), past_of())
    assert codes(judged) == {"new_device"} and judged.level == RiskLevel.LOW


def test_clients_without_any_id_are_known_by_what_they_are_like():
    like = {"safari": Known("safari", ago(days=9), ago(days=2))}
    tool = login(key="safari", is_proven=False, network="train")
    assert assess(tool, past_of(devices=like)) == rules.Assessment()
    assert codes(assess(tool, past_of())) == {"new_device"}


# What is


def test_a_new_device_is_told_and_shown_with_its_evidence():
    judged = assess(stranger(), past_of())
    assert judged.reasons == (
        Reason("new_device", 25, {"device": "Safari on iOS", "alike": False}),
    )
    assert judged.level == RiskLevel.LOW


def test_a_country_is_new_for_a_hundred_and_eighty_days():
    """What is older does not count; tests/devices/core/risk/test_login_history.py lets it age."""
    judged = assess(stranger(place=PARIS), past_of(at=ago(days=2)))
    assert codes(judged) == {"new_device", "new_country"}
    assert judged.reasons[1].evidence == {"country": "FR", "known": ["DE"]}
    assert (judged.score, judged.level) == (65, RiskLevel.HIGH)
    both = {"DE": (ago(days=90), NOW), "FR": (ago(days=179), ago(days=179))}
    assert codes(assess(stranger(place=PARIS), past_of(countries=both))) == {"new_device"}


def test_a_device_that_only_looks_like_mine_does_not_excuse_a_new_country():
    judged = assess(login(key="fresh", network="elsewhere", place=TOKYO), past_of())
    assert judged.level == RiskLevel.HIGH
    assert judged.is_at_least(RiskLevel.MEDIUM)


@pytest.mark.parametrize(
    ("hours", "unusual"),
    # Berlin to Paris: 878 km, 0.98 hours at 900 km/h. Not days, not minutes, not seconds.
    [(0.96, True), (0.97, True), (0.98, False), (1, False), (24, False), (0, True)],
)
def test_EL7_impossible_travel_is_kilometres_per_hour(hours, unusual):
    past = past_of(at=ago(hours=hours), countries={"DE": (NOW, NOW), "FR": (NOW, NOW)})
    judged = assess(login(key="new", place=PARIS), past)
    assert ("impossible_travel" in codes(judged)) == unusual


def test_EL7_the_evidence_is_in_kilometres_and_hours():
    [reason] = [
        reason
        for reason in assess(stranger(place=PARIS), past_of(at=ago(minutes=30))).reasons
        if reason.code == "impossible_travel"
    ]
    assert reason.evidence == {
        "kilometres": 877,
        "hours": 0.5,
        "origin": "Berlin, DE",
        "place": "Paris, FR",
    }


def test_EL7_daylight_saving_is_no_hour_of_travel():
    """Times are moments: the night the clocks go back has no hour more."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=0).astimezone(UTC)
    after = datetime(2026, 10, 25, 2, 40, tzinfo=zone, fold=1).astimezone(UTC)
    assert after - before == timedelta(minutes=70)
    past = past_of(at=before, countries={"FR": (before, before)})
    assert "impossible_travel" not in codes(assess(stranger(at=after, place=PARIS), past))


def test_a_clock_that_was_set_back_makes_no_negative_hours():
    past = past_of(at=NOW + timedelta(minutes=5))
    [reason] = [r for r in assess(stranger(place=TOKYO), past).reasons if r.code.startswith("imp")]
    assert reason.evidence["hours"] == 0


def test_nearer_than_three_hundred_kilometres_is_never_too_fast():
    hamburg = Location("DE", "Hamburg", 53.5511, 9.9937)
    judged = assess(stranger(place=hamburg), past_of(at=ago(seconds=1)))
    assert codes(judged) == {"new_device"}


@pytest.mark.parametrize(("here", "there"), [("DE", "FR"), ("US", "VN"), ("DE", "DE"), ("", "DE")])
def test_without_coordinates_nothing_is_known_of_a_distance(here, there):
    """Phones in border zones change the country by themselves. A new country is a reason of its own."""
    assert kilometres(Location(here), Location(there)) is None
    past = past_of(Location(here), at=ago(minutes=1))
    assert "impossible_travel" not in codes(assess(stranger(place=Location(there)), past))


@pytest.mark.parametrize(
    ("here", "there", "apart"),
    [
        ((52.52, 13.405), (48.8566, 2.3522), 877.5),
        ((52.52, 13.405), (53.5511, 9.9937), 255),
        ((0, 179.5), (0, -179.5), 111.2),
        ((90, 0), (-90, 77), 20015),
    ],
)
def test_distances_are_those_on_the_globe(here, there, apart):
    measured = kilometres(Location("DE", "", *here), Location("DE", "", *there))
    assert measured == pytest.approx(apart, abs=1)


def test_a_dormant_account_is_counted_in_days():
    assert "dormant" not in codes(assess(stranger(), past_of(at=ago(days=120))))
    judged = assess(stranger(), past_of(at=ago(days=121)))
    assert judged.reasons[1] == Reason("dormant", 20, {"days": 121})
    assert judged.level == RiskLevel.MEDIUM


@pytest.mark.parametrize(("failures", "unusual"), [(0, False), (4, False), (5, True), (99, True)])
def test_many_failures_before_the_success_look_like_guessing(failures, unusual):
    assert ("failures" in codes(assess(stranger(failures=failures), past_of()))) == unusual


def test_everything_at_once_is_critical():
    judged = assess(stranger(place=TOKYO, failures=20), past_of(at=ago(hours=1)))
    assert (judged.score, judged.level) == (100, RiskLevel.CRITICAL)


def test_a_device_that_was_disowned_is_worse_than_a_new_one():
    judged = assess(stranger(), past_of(disowned={"new": ago(days=1)}))
    assert codes(judged) == {"disowned_device"} and judged.level == RiskLevel.HIGH


# Settings


def test_levels_and_points_are_settings(settings):
    settings.DEVICES = {"RISK_LEVELS": {"medium": 20, "critical": None}}
    assert assess(stranger(), past_of()).level == RiskLevel.MEDIUM
    everything = stranger(place=TOKYO, failures=20)
    assert assess(everything, past_of(at=ago(hours=1))).level == RiskLevel.HIGH
    settings.DEVICES = {"RISK_POINTS": {"new_device": 0}}
    assert assess(stranger(), past_of()) == rules.Assessment()


def night_shift(login: Login, past: Past) -> Reason | None:
    """A rule of somebody else's."""
    return Reason("night", 40, {"hour": login.at.hour}) if login.at.hour == 12 else None


def broken(login: Login, past: Past) -> Reason | None:
    raise RuntimeError("203.0.113.7")


def test_a_host_project_adds_rules_of_its_own(settings, caplog):
    settings.DEVICES = {"RISK_RULES": [f"{__name__}.night_shift", f"{__name__}.broken"]}
    judged = assess(login(), past_of())
    assert judged.reasons == (Reason("night", 40, {"hour": 12}),)
    assert judged.level == RiskLevel.MEDIUM
    # One that fails is passed over, and what it raised is not written down.
    assert "RuntimeError" in caplog.text and "203.0.113.7" not in caplog.text


# Refreshing


PHONE = Bearer(Kind("mobile", "iOS"), "DE", "Safari on iOS")


@pytest.mark.parametrize(
    ("now", "level"),
    [
        (PHONE, RiskLevel.NONE),
        (PHONE._replace(country=""), RiskLevel.NONE),
        (PHONE._replace(country="FR"), RiskLevel.LOW),
        # A phone that shows the desktop's site.
        (PHONE._replace(kind=Kind("desktop", "macOS")), RiskLevel.NONE),
        (PHONE._replace(kind=Kind("unknown", "")), RiskLevel.NONE),
        (PHONE._replace(kind=Kind("desktop", "Windows")), RiskLevel.MEDIUM),
        (PHONE._replace(kind=Kind("cli", "")), RiskLevel.MEDIUM),
        (PHONE._replace(kind=Kind("desktop", "Linux"), country="BR"), RiskLevel.HIGH),
    ],
)
def test_8_2_4_who_refreshes_from_another_kind_of_device_is_noticed(now, level):
    assert assess_refresh(PHONE, now).level == level


def test_a_refresh_of_a_session_without_a_place_is_not_abroad():
    assert assess_refresh(PHONE._replace(country=""), PHONE).level == RiskLevel.NONE


# Where the place is uncertain


RELAY = Location("US", is_uncertain=True)
HOME = Location("FR")


def test_an_uncertain_place_is_neither_a_new_country_nor_a_journey():
    at_home = past_of(HOME, ago(minutes=5), countries={"FR": (ago(days=90), ago(minutes=5))})
    assert codes(assess(stranger(place=RELAY), at_home)) == {"new_device"}
    behind = past_of(RELAY, ago(minutes=5), countries={"FR": (ago(days=90), ago(days=1))})
    assert codes(assess(stranger(place=HOME), behind)) == {"new_device"}
    assert kilometres(HOME, RELAY) is None
    assert kilometres(RELAY, TOKYO) is None


def test_the_country_of_a_relay_is_not_learned():
    learned = login_history.learned(login(place=RELAY), past_of(HOME))
    assert "US" not in learned.countries
    assert learned.last == Sight(NOW, RELAY)
    assert login_history.learned(login(place=HOME), past_of(HOME)).countries.keys() >= {"FR"}


def test_a_device_that_comes_unproven_is_told_of_an_unknown_network_whose_place_is_uncertain():
    unproven = {"key": "safari", "fingerprint": "safari", "is_proven": False}
    past = past_of(devices={"safari": Known("safari", ago(days=90), ago(days=1))})
    assert not assess(login(**unproven, network="elsewhere"), past).reasons
    told = assess(login(**unproven, network="elsewhere", place=RELAY), past)
    assert codes(told) == {"new_device"}
    assert not assess(login(**unproven, place=RELAY), past).reasons


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (Kind("mobile", "iOS"), set()),
        (Kind("desktop", "Linux"), {"refresh_device_class", "refresh_country"}),
    ],
)
def test_at_a_refresh_a_relays_country_counts_only_beside_another_kind_of_device(kind, reasons):
    began = Bearer(Kind("mobile", "iOS"), "FR")
    assert codes(assess_refresh(began, Bearer(kind, "US", "", is_uncertain=True))) == reasons
