"""Every pair of durations, and every switch that needs another: what contradicts is said, nothing else."""

from datetime import timedelta
from functools import cached_property
from itertools import permutations

import pytest
from django.conf import settings as project
from django.db import connections
from django.test import override_settings
from django.urls import include, path

from devices.checks import check_settings, integrations, pairs
from devices.checks.values import DURATIONS, NUMBERS
from devices.conf import Conf

urlpatterns = [path("api/", include("devices.api.urls"))]


@pytest.fixture(autouse=True)
def factors(monkeypatch):
    """The site has allauth's factors, and most of these settings have no SECOND_FACTOR for them."""
    monkeypatch.setattr(integrations, "FACTORS", ())


DAY = timedelta(days=1)
# Whose first may not be as long as its second, or longer.
TABLE = {
    ("RISK_DORMANT_DAYS", "RISK_MEMORY_DAYS"): "W056",
    ("STEP_UP_MAX_AGE", "SESSION_MAX_AGE"): "W056",
    ("SHORT_SESSION_MAX_AGE", "SESSION_MAX_AGE"): "W056",
    ("IMPERSONATION_MAX_AGE", "SESSION_MAX_AGE"): "W056",
    ("DBSC_COOKIE_AGE", "REFRESH_TOKEN_LIFETIME"): "W056",
    ("REFRESH_GRACE", "ACCESS_TOKEN_LIFETIME"): "W057",
    ("LEEWAY", "ACCESS_TOKEN_LIFETIME"): "W057",
    ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME"): "W057",
    ("TOUCH_INTERVAL", "REFRESH_TOKEN_LIFETIME"): "E054",
    ("TOUCH_INTERVAL", "SESSION_COOKIE_AGE"): "E054",
}
# Why other durations may be in any order.
ALONE = {
    "RETENTION_DAYS": "counts from a session's end, and is compared with the link of the e-mails",
    "INACTIVE_DAYS": "the longer of it and the idle limit counts",
    "IP_RETENTION_DAYS": "counts from the last use; what risk remembers holds no address",
    "ACTIVITY_RETENTION_DAYS": "an ended session without its entries, or entries without theirs, are fine",
    "NOTICE_LEASE": "is compared with the time-out of the mail server",
    "FEED_WAIT": "how long a service waits",
    "DPOP_MAX_AGE": "how far clocks may be apart",
    "TRUSTED_DEVICE_MAX_AGE": "a device that risk has forgotten is asked for a code all the same",
}
JWT = ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME", "LEEWAY")
# In the order of the table: each of them is shorter than what it has to be shorter than.
SPANS = {
    "LEEWAY": timedelta(seconds=5),
    "REFRESH_GRACE": timedelta(seconds=20),
    "TOUCH_INTERVAL": timedelta(minutes=1),
    "STEP_UP_MAX_AGE": timedelta(minutes=15),
    "DBSC_COOKIE_AGE": timedelta(minutes=10),
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=2),
    "SESSION_COOKIE_AGE": timedelta(days=14),
    "REFRESH_TOKEN_LIFETIME": 30 * DAY,
    # Not the default, which does no harm.
    "SHORT_SESSION_MAX_AGE": timedelta(hours=11),
    "IMPERSONATION_MAX_AGE": timedelta(hours=1),
    "SESSION_MAX_AGE": 90 * DAY,
    "RISK_DORMANT_DAYS": 120 * DAY,
    "RISK_MEMORY_DAYS": 180 * DAY,
}


def found(spans: dict[str, timedelta], **more: object) -> set[str]:
    """The checks that fail with these durations, all of them set by the project."""
    cookie = spans["SESSION_COOKIE_AGE"].total_seconds()
    own = {key: value for key, value in spans.items() if key not in (*JWT, "SESSION_COOKIE_AGE")}
    with override_settings(
        DEVICES={**project.DEVICES, "DBSC": True, **own, **more},
        SIMPLE_JWT={**project.SIMPLE_JWT, **{key: spans[key] for key in JWT}},
        SESSION_COOKIE_AGE=int(cookie),
    ):
        return {message.id.removeprefix("devices.") for message in pairs.check()}


def test_each_duration_is_in_the_table_or_says_why_it_is_not():
    compared = {name for pair in TABLE for name in pair} - {*JWT, "SESSION_COOKIE_AGE"}
    assert compared | ALONE.keys() == DURATIONS.keys() | {"SESSION_MAX_AGE"}
    assert not compared & ALONE.keys()
    settings = {name for name, value in vars(Conf).items() if isinstance(value, cached_property)}
    assert DURATIONS.keys() | NUMBERS.keys() <= settings


@pytest.mark.parametrize(("one", "other"), list(permutations(SPANS, 2)))
def test_what_should_be_shorter_is(one, other):
    """Each duration as long as each other one; leeway has a limit of its own."""
    spans = dict(SPANS)
    if one == "LEEWAY":
        spans[other] = spans[one]
    else:
        spans[one] = spans[other]
    expected = {name for (a, b), name in TABLE.items() if spans[a] >= spans[b]}
    assert found(spans) == expected
    assert ((one, other) in TABLE) <= bool(expected)


def test_what_is_in_order_is_left_alone():
    assert found(SPANS) == set()


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        # NIST's, as docs/security.md has them: the defaults of the rest do not get in the way.
        (set(), {"SESSION_MAX_AGE": 0.5}),
        (set(), {"SESSION_MAX_AGE": 1}),
        ({"W056"}, {"SESSION_MAX_AGE": 0.5, "SHORT_SESSION_MAX_AGE": 13}),
        ({"W056"}, {"RISK_MEMORY_DAYS": 90}),
        ({"W056"}, {"RISK_DORMANT_DAYS": 200}),
        (set(), {"STEP_UP_MAX_AGE": None}),
        ({"W062"}, {"RETENTION_DAYS": 6}),
        (set(), {"RETENTION_DAYS": 7}),
        ({"E012"}, {"SESSION_MAX_AGE": None}),
        ({"E012"}, {"SESSION_MAX_AGE": float("inf")}),
        ({"E013"}, {"RISK_MEMORY_DAYS": 36526}),
        ({"E013"}, {"TOUCH_INTERVAL": float("inf")}),
        ({"E013"}, {"MAX_SESSIONS": 2.5}),
        ({"E013"}, {"DBSC_COOKIE_AGE": float("inf")}),
        ({"E055"}, {"CLEAR_SITE_DATA": ["cookies"]}),
        ({"E055"}, {"CLEAR_SITE_DATA": ["*"]}),
        ({"E055"}, {"CLEAR_SITE_DATA": ["executionContexts"]}),
        ({"E055"}, {"CLEAR_SITE_DATA": ["cache", "clientHints"]}),
        ({"E055"}, {"CLEAR_SITE_DATA": ["Cache"]}),
        ({"E055"}, {"CLEAR_SITE_DATA": ['"cache"']}),
        ({"E055"}, {"CLEAR_SITE_DATA": ['cache", "cookies']}),
        ({"E055"}, {"CLEAR_SITE_DATA": [None]}),
        (set(), {"CLEAR_SITE_DATA": ["cache", "storage", "prefetchCache", "prerenderCache"]}),
        ({"W058"}, {"DPOP": "off", "DPOP_NONCE": True}),
        ({"W058"}, {"DPOP": "off", "DPOP_MAX_AGE": 30}),
        ({"W058"}, {"DPOP": "off", "DPOP_STORE": "redis://127.0.0.1:6379/0"}),
        (set(), {"DPOP": "off", "DPOP_STORE": "database", "DPOP_NONCE": False}),
        ({"W058"}, {"SECOND_FACTOR": None, "TRUSTED_DEVICE_MAX_AGE": 30}),
        (set(), {"TRUSTED_DEVICE_MAX_AGE": 30}),
        ({"W058"}, {"DBSC": False, "DBSC_COOKIE_AGE": 900}),
        (set(), {"DBSC": False}),
        ({"W058"}, {"KEY_ENCRYPTION_KEYS": ["secret"]}),
        (set(), {"KEY_ENCRYPTION_KEYS": ["secret"], "SIGNING_KEYS": "database"}),
        ({"W058"}, {"PROVIDER_PEOPLE": "devices.contrib.providers.people.by_allauth"}),
        ({"W058"}, {"PROVIDERS": {"a": {"issuer": "a", "audience": "b", "jwks_url": "https://a"}}}),
        # Shared signals of the tests' site use it, too.
        (set(), {"FEED_WAIT": 1}),
    ],
)
def test_contradictions_are_said(expected, changes):
    with override_settings(DEVICES={**project.DEVICES, **changes}):
        messages = check_settings()
    assert {message.id.removeprefix("devices.") for message in messages} == expected
    assert all(message.hint for message in messages)


@pytest.mark.parametrize("key", ["ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME"])
@pytest.mark.parametrize("value", [30, None, "30 days", timedelta(), -DAY, 40_000 * DAY])
def test_lifetimes_are_durations(key, value):
    """SimpleJWT takes anything, and the first login is a TypeError or an OverflowError."""
    with override_settings(SIMPLE_JWT={**project.SIMPLE_JWT, key: value}):
        messages = check_settings()
    assert [message.id for message in messages] == ["devices.E059"]


def test_the_wait_of_services_needs_services(settings):
    settings.INSTALLED_APPS = [
        name for name in project.INSTALLED_APPS if name != "devices.contrib.ssf"
    ]
    settings.DEVICES = {**project.DEVICES, "FEED_WAIT": 1, "FEED_WAITERS": 2}
    assert [message.id for message in pairs.check()] == ["devices.W058"] * 2


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    "changes", [{"DEVICE_CODE_METHODS": ["password"]}, {"ACCESS_COOKIE": True}]
)
def test_what_needs_urls_is_said(changes):
    with override_settings(DEVICES=changes):
        assert [message.id for message in pairs.check()] == ["devices.W058"]


def test_only_postgresql_commits_at_a_level():
    is_postgresql = connections["default"].vendor == "postgresql"
    with override_settings(DEVICES={"REVOCATION_COMMIT": "on"}):
        found = [message.id for message in pairs.check()]
    assert found == ([] if is_postgresql else ["devices.W058"])
