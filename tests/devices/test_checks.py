"""Every numbered check: silent on the site's own settings, and loud when what it is for is broken."""

import re
from datetime import timedelta
from pathlib import Path

import django
import pytest
from django.conf import settings as project
from django.db import connections
from django.test import override_settings
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

from devices.checks import check_deployment, check_settings
from devices.checks.names import MIDDLEWARE

urlpatterns = [path("token", TokenObtainPairView.as_view())]


def ids() -> set[str]:
    return {message.id.removeprefix("devices.") for message in check_settings()}


def test_each_fault_has_an_id_of_its_own_and_a_line_in_the_documents():
    root = Path(project.BASE_DIR)
    sources = "".join(path.read_text() for path in root.glob("devices/checks/*.py"))
    reported = re.findall(r'id="(devices\.[EW]\d{3})"', sources)
    assert len(reported) == len(set(reported)) == sources.count("id=")
    assert len({each[-3:] for each in reported}) == len(reported)
    documented = re.findall(
        r"^\| `(devices\.\w+)` \|", (root / "docs/checks.md").read_text(), re.MULTILINE
    )
    assert documented == sorted(reported, key=lambda each: each[-3:])


def test_the_site_passes_its_own_checks():
    assert check_settings() == []


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, []),
        ({"SITE_URL": ""}, ["devices.W037"]),
        # Then no session is doubted.
        ({"SITE_URL": "", "RISK_LEVELS": {"high": None}}, []),
    ],
)
def test_a_site_whose_mails_carry_no_link_is_warned_before_it_is_deployed(
    settings, changes, warned
):
    settings.DEVICES = {**settings.DEVICES, **changes}
    assert [message.id for message in check_deployment()] == warned


def jwt(**changes):
    return {"SIMPLE_JWT": {**project.SIMPLE_JWT, **changes}}


def drf(**changes):
    return {"REST_FRAMEWORK": {**project.REST_FRAMEWORK, **changes}}


STOCK = "rest_framework_simplejwt.serializers"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("E001", drf(DEFAULT_AUTHENTICATION_CLASSES=[])),
        (
            "E001",
            drf(
                DEFAULT_AUTHENTICATION_CLASSES=[
                    "rest_framework_simplejwt.authentication.JWTAuthentication"
                ]
            ),
        ),
        ("E002", jwt(TOKEN_OBTAIN_SERIALIZER=f"{STOCK}.TokenObtainPairSerializer")),
        ("E002", jwt(TOKEN_REFRESH_SERIALIZER=f"{STOCK}.TokenRefreshSerializer")),
        ("E002", jwt(TOKEN_VERIFY_SERIALIZER=f"{STOCK}.TokenVerifySerializer")),
        ("E002", jwt(TOKEN_BLACKLIST_SERIALIZER=f"{STOCK}.TokenBlacklistSerializer")),
        (
            "W003",
            {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]},
        ),
        ("W018", {"MIDDLEWARE": project.MIDDLEWARE[:1]}),
        ("E024", {"MIDDLEWARE": [each for each in project.MIDDLEWARE if each != MIDDLEWARE]}),
        ("E025", {"MIDDLEWARE": [MIDDLEWARE, *project.MIDDLEWARE]}),
        ("E004", jwt(BLACKLIST_AFTER_ROTATION=True)),
        ("E005", jwt(SIGNING_KEY="k" * 31)),
        ("W006", jwt(SIGNING_KEY=project.SECRET_KEY)),
        ("W007", jwt(AUDIENCE=None)),
        ("W008", jwt(ISSUER=None)),
        ("E009", jwt(USER_ID_FIELD="email")),
        ("E010", jwt(LEEWAY="x")),
        ("E010", jwt(LEEWAY=-1)),
        ("E010", jwt(LEEWAY=timedelta(minutes=5))),
        ("W011", {"DEVICES": {"TOUCH_INTERVALL": 60}}),
        ("E012", {"DEVICES": {"SESSION_MAX_AGE": None}}),
        ("E012", {"DEVICES": {"SESSION_MAX_AGE": 0}}),
        ("E013", {"DEVICES": {"MAX_SESSIONS": 0}}),
        ("E013", {"DEVICES": {"TOUCH_INTERVAL": "60"}}),
        ("E013", {"DEVICES": {"REFRESH_GRACE": None}}),
        ("E014", {"DEVICES": {"TRUSTED_PROXIES": "10.0.0.0/8"}}),
        ("E014", {"DEVICES": {"TRUSTED_PROXIES": ["10.0.0.1/8"]}}),
        ("E060", {"DEVICES": {"TRUSTED_PROXY_HEADER": None}}),
        ("E060", {"DEVICES": {"TRUSTED_PROXY_HEADER": "HTTP_CF_CONNECTING_IP"}}),
        ("E060", {"DEVICES": {"TRUSTED_PROXY_HEADER": "X-Forwarded-For, Forwarded"}}),
        ("W061", {"DEVICES": {"TRUSTED_PROXY_HEADER": "CF-Connecting-IP"}}),
        (
            "W015",
            {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"), "DEVICES": {}},
        ),
    ],
)
def test_A47_what_weakens_the_sessions_is_said(expected, changes):
    with override_settings(**changes):
        messages = check_settings()
        assert ids() == {expected}
        assert all(message.hint for message in messages)


def test_none_is_no_limit_of_sessions_and_passes():
    with override_settings(DEVICES={"MAX_SESSIONS": None}):
        assert ids() == set()


@pytest.fixture
def atomic_requests(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("atomic_requests")
def test_atomic_requests_are_fine_with_our_handler_and_our_urls():
    assert ids() == set()


@pytest.mark.usefixtures("atomic_requests")
def test_A46_a_foreign_exception_handler_would_roll_revocations_back():
    with override_settings(**drf(EXCEPTION_HANDLER="rest_framework.views.exception_handler")):
        assert ids() == {"E016"}


@pytest.mark.usefixtures("atomic_requests")
@override_settings(ROOT_URLCONF=__name__, DEVICES={})
def test_A46_an_atomic_token_view_would_not_count_failures():
    assert ids() == {"E017"}


REDIS = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ({"E020"}, {"LIVENESS": "redis"}),
        ({"E021"}, {"LIVENESS": "cached", "BUS": None}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "memory"}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "redis+sentinel://host:26379/main"}),
        (set(), {"LIVENESS": "cached", "BUS": REDIS}),
        (set(), {"LIVENESS": "database", "BUS": REDIS}),
    ],
)
def test_what_is_remembered_needs_a_bus(expected, changes):
    with override_settings(DEVICES=project.DEVICES | changes):
        assert ids() == expected


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        (set(), "tests.factor.Codes"),
        ({"E030"}, "tests.factor.Coeds"),
        ({"E030"}, "tests.factors.Codes"),
        ({"E030"}, "tests.client.Device"),
        ({"E030"}, "tests.client.PASSWORD"),
        ({"E030"}, "Codes"),
    ],
)
def test_the_second_factor_is_where_it_is_said_to_be(expected, path):
    with override_settings(DEVICES=project.DEVICES | {"SECOND_FACTOR": path}):
        assert ids() == expected


def test_only_postgresql_can_be_its_own_bus():
    with override_settings(DEVICES=project.DEVICES | {"LIVENESS": "cached", "BUS": "postgres"}):
        assert ids() == (set() if connections["default"].vendor == "postgresql" else {"E022"})


def test_a_bus_through_a_pooler_hears_nothing(monkeypatch):
    pooled = {"DISABLE_SERVER_SIDE_CURSORS": True}
    monkeypatch.setattr(
        connections["default"], "settings_dict", connections["default"].settings_dict | pooled
    )
    changes = {"LIVENESS": "cached", "BUS": "postgres"}
    with override_settings(DEVICES=project.DEVICES | changes):
        assert "E063" in ids()
    changes["BUS"] = "postgres://devices@db.example.org/devices"
    with override_settings(DEVICES=project.DEVICES | changes):
        assert "E063" not in ids()


def test_transactions_around_every_request_leave_nothing_to_remember(monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    with override_settings(DEVICES=project.DEVICES | {"LIVENESS": "cached", "BUS": REDIS}):
        assert "W023" in ids()


def test_an_old_sqlite_is_refused(monkeypatch):
    if connections["default"].vendor != "sqlite":
        pytest.skip("NO SQLITE: the suite runs on another database")
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    assert ids() == {"E072"}


@pytest.mark.parametrize("vendor", ["mysql", "oracle", "microsoft"])
def test_a_database_that_was_never_run_on_is_refused(monkeypatch, vendor):
    monkeypatch.setattr(type(connections["default"]), "vendor", vendor)
    assert "E071" in ids()


SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("expected", "mailers"),
    [
        ({"E070"}, {}),
        ({"W032"}, {"default": {}}),
        ({"W032"}, {"default": {"BACKEND": SMTP, "OPTIONS": {"timeout": 60}}}),
        (set(), {"default": {"BACKEND": SMTP, "OPTIONS": {"timeout": 20}}}),
        (set(), {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}),
    ],
)
def test_a_mail_server_is_there_and_does_not_hang_for_long(expected, mailers):
    with override_settings(MAILERS=mailers):
        assert ids() == expected


@pytest.mark.skipif(django.VERSION >= (6, 1), reason="MAILERS says so since Django 6.1")
@pytest.mark.parametrize(("expected", "timeout"), [({"W032"}, None), (set(), 20)])
def test_a_mail_server_of_older_settings_does_not_hang_for_long(expected, timeout):
    with override_settings(EMAIL_BACKEND=SMTP, EMAIL_TIMEOUT=timeout):
        assert ids() == expected


def test_schemas_that_cannot_be_told_apart_are_not_remembered(settings, monkeypatch):
    settings.DEVICES = project.DEVICES | {"LIVENESS": "cached", "BUS": "redis://127.0.0.1/0"}
    given = connections["default"]
    engine = {"ENGINE": "django_pgschemas.postgresql"}
    monkeypatch.setattr(given, "settings_dict", given.settings_dict | engine)
    assert ids() == {"E073"}
    # As django-tenants says which.
    monkeypatch.setattr(given, "schema_name", "public", raising=False)
    assert ids() == set()


def test_the_tables_of_the_blacklist_know_no_sessions(monkeypatch):
    asked = "rest_framework_simplejwt.token_blacklist"
    monkeypatch.setattr("devices.checks.tokens.apps.is_installed", lambda name: name == asked)
    assert ids() == {"W045"}
