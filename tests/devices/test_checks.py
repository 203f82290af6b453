"""Every numbered check: silent on the site's own settings, and loud when what it is for is broken."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import django
import pytest
from django.apps import apps
from django.conf import settings as project
from django.contrib.sessions.backends import db
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import override_settings
from django.urls import path
from django.utils.module_loading import import_string
from rest_framework_simplejwt.views import TokenObtainPairView

from devices.api.serializers import SessionStartSerializer
from devices.checks import check_deployment, check_settings, integrations, session_engine, urls
from devices.checks.names import COOKIES, MESSAGES, MIDDLEWARE, STORES
from devices.checks.session_engine import JWTS, SESSION_TOKENS
from devices.conf import conf
from devices.web.session_store import DeviceSessionStore

urlpatterns = [path("token", TokenObtainPairView.as_view())]


@pytest.fixture(autouse=True)
def factors(monkeypatch):
    """The site has allauth's factors, and most of these settings have no SECOND_FACTOR for them."""
    monkeypatch.setattr(integrations, "FACTORS", ())


def ids() -> set[str]:
    return {message.id.removeprefix("devices.") for message in check_settings()}


def test_each_fault_has_an_id_of_its_own_and_a_line_in_the_documents():
    root = Path(project.BASE_DIR)
    files = [*root.glob("devices/checks/*.py"), *root.glob("devices/contrib/*/checks.py")]
    sources = "".join(path.read_text() for path in files)
    reported = re.findall(r'id="(devices\.[EWI]\d{3})"', sources)
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


def test_claims_that_get_token_would_add_are_refused():
    """SimpleJWT's usual way; here they would be lost at the first refresh."""

    class WithClaims(SessionStartSerializer):
        @classmethod
        def get_token(cls, user):
            return super().get_token(user)

    assert "E100" in ids()
    with pytest.raises(ImproperlyConfigured, match=r"WithClaims\.get_token makes no session"):
        WithClaims.get_token(None)
    del WithClaims.get_token
    assert "E100" not in ids()


def jwt(**changes):
    return {"SIMPLE_JWT": {**project.SIMPLE_JWT, **changes}}


def drf(**changes):
    return {"REST_FRAMEWORK": {**project.REST_FRAMEWORK, **changes}}


STOCK = "rest_framework_simplejwt.serializers"

DJANGO = "django.contrib.sessions.backends"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("W084", drf(DEFAULT_AUTHENTICATION_CLASSES=[])),
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
        ("W018", {"MIDDLEWARE": [*project.MIDDLEWARE[:1], MESSAGES]}),
        ("E024", {"MIDDLEWARE": [each for each in project.MIDDLEWARE if each != MIDDLEWARE]}),
        ("E025", {"MIDDLEWARE": [MIDDLEWARE, *project.MIDDLEWARE]}),
        ("E053", {"MIDDLEWARE": [*project.MIDDLEWARE, COOKIES]}),
        ("E026", {"MIDDLEWARE": [each for each in project.MIDDLEWARE if each != STORES]}),
        (
            "E026",
            {"MIDDLEWARE": [*(each for each in project.MIDDLEWARE if each != STORES), STORES]},
        ),
        ("E027", {"MIDDLEWARE": [each for each in project.MIDDLEWARE if each != MESSAGES]}),
        ("E004", jwt(BLACKLIST_AFTER_ROTATION=True)),
        ("E005", jwt(SIGNING_KEY="k" * 31)),
        ("W006", jwt(SIGNING_KEY=project.SECRET_KEY)),
        ("E019", jwt(ALGORITHM="RS256")),
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
        ("E012", {"DEVICES": {"SESSION_MAX_AGE": timedelta()}}),
        ("E013", {"DEVICES": {"MAX_SESSIONS": timedelta(days=1)}}),
        ("E013", {"DEVICES": {"STEP_UP_MAX_AGE": timedelta()}}),
        ("E013", {"DEVICES": {"RETENTION_DAYS": timedelta(days=-1)}}),
        ("E013", {"DEVICES": {"TOUCH_INTERVAL": "60"}}),
        ("E054", {"DEVICES": {"TOUCH_INTERVAL": timedelta(days=400)}}),
        ("E013", {"DEVICES": {"REFRESH_GRACE": None}}),
        ("E048", {"DEVICES": {"TRUSTED_PROXIES": "10.0.0.0/8"}}),
        ("E014", {"DEVICES": {"TRUSTED_PROXIES": ["10.0.0.1/8"]}}),
        ("E048", {"DEVICES": {"TRUSTED_PROXY_HEADER": None}}),
        ("E060", {"DEVICES": {"TRUSTED_PROXY_HEADER": "HTTP_CF_CONNECTING_IP"}}),
        ("E060", {"DEVICES": {"TRUSTED_PROXY_HEADER": "X-Forwarded-For, Forwarded"}}),
        ("W061", {"DEVICES": {"TRUSTED_PROXY_HEADER": "CF-Connecting-IP"}}),
        (
            "W015",
            {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"), "DEVICES": {}},
        ),
        (
            "E080",
            {"SESSION_ENGINE": f"{DJANGO}.cached_db", "HEADLESS_TOKEN_STRATEGY": SESSION_TOKENS},
        ),
        ("E081", {"HEADLESS_TOKEN_STRATEGY": JWTS}),
        ("E110", {"DEVICES": {"DBSC": True}, "ROOT_URLCONF": "accounts.urls"}),
        ("E111", {"SESSION_COOKIE_DOMAIN": "example.org"}),
        ("E111", {"SESSION_COOKIE_PATH": "/shop/"}),
        ("W112", {"SESSION_COOKIE_SECURE": False}),
        ("W113", {"DEVICES": {"DBSC": True, "DBSC_COOKIE_AGE": 299}}),
        ("E013", {"DEVICES": {"DBSC": True, "DBSC_COOKIE_AGE": 0}}),
        ("E120", {"DEVICES": {"DPOP": "sometimes"}}),
        ("E120", {"DEVICES": {"DPOP": "tests.dpop.SITE.nothing"}}),
        ("E121", {"DEVICES": {"DPOP_STORE": "memcached://127.0.0.1"}}),
        ("E121", {"DEVICES": {"DPOP_STORE": "redis+sentinel://127.0.0.1/0"}}),
    ],
)
def test_A47_what_weakens_the_sessions_is_said(expected, changes):
    with override_settings(**changes):
        messages = check_settings()
        assert ids() == {expected}
        assert all(message.hint for message in messages)


@pytest.mark.parametrize(
    "changes",
    [
        # Only ours hands out tokens to apps.
        {"SESSION_ENGINE": f"{DJANGO}.db"},
        {"SESSION_ENGINE": f"{DJANGO}.db", "HEADLESS_CLIENTS": ("browser",)},
        {"HEADLESS_TOKEN_STRATEGY": SESSION_TOKENS},
        {
            "HEADLESS_TOKEN_STRATEGY": JWTS,
            "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED": True,
        },
    ],
)
def test_apps_that_are_refused_after_the_end_pass(changes):
    with override_settings(**changes):
        assert ids() == set()


def test_ninja_jwt_knows_no_sessions(monkeypatch):
    monkeypatch.setitem(sys.modules, "ninja_jwt.authentication", object())
    assert ids() == {"W083"}


def test_channels_is_told_of_an_engine_that_knows_no_end(settings, monkeypatch):
    monkeypatch.setattr(session_engine, "_has_channels", lambda: True)
    assert ids() == set()
    settings.SESSION_ENGINE = f"{DJANGO}.cache"
    assert ids() == {"W082"}
    [warning] = check_settings()
    assert "devices.web.session_engines.cache" in warning.hint


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
def test_a_used_proof_has_to_be_written_down_beside_the_request():
    is_sqlite = connections["default"].vendor == "sqlite"
    with override_settings(DEVICES=project.DEVICES | {"DPOP": "required"}):
        assert ids() == ({"E123"} if is_sqlite else set())
    with override_settings(DEVICES=project.DEVICES | {"DPOP": "required", "DPOP_STORE": REDIS}):
        assert ids() == set()


@pytest.mark.usefixtures("atomic_requests")
def test_A46_a_foreign_exception_handler_would_roll_revocations_back():
    with override_settings(**drf(EXCEPTION_HANDLER="rest_framework.views.exception_handler")):
        assert ids() == {"E016"}


@pytest.mark.usefixtures("atomic_requests")
@override_settings(ROOT_URLCONF=__name__, DEVICES={})
def test_A46_an_atomic_token_view_would_not_count_failures():
    [message] = check_settings()
    assert message.id == "devices.E017"
    assert message.msg.endswith(": rest_framework_simplejwt.views.TokenObtainPairView.")


REDIS = "redis://127.0.0.1:6379/0"
SENTINELS = "a.example.org:26379,[::1]:26379/main/0"
# There it has no effect.
ON_SQLITE = {"W058"} if connections["default"].vendor == "sqlite" else set()
TLS = "ssl_ca_certs=/etc/ssl/redis.pem&sentinel_password=x"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ({"E020"}, {"LIVENESS": "redis"}),
        ({"E150"} | ON_SQLITE, {"REVOCATION_COMMIT": "remote_write"}),
        (ON_SQLITE, {"REVOCATION_COMMIT": "remote_apply"}),
        ({"E021"}, {"LIVENESS": "cached", "BUS": None}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "memory"}),
        (set(), {"LIVENESS": "cached", "BUS": "redis+sentinel://host:26379/main"}),
        (set(), {"LIVENESS": "cached", "BUS": f"rediss+sentinel://:p%40@{SENTINELS}?{TLS}"}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "redis+sentinel://host:26379"}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "redis+sentinel://host/main"}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "redis+sentinel://host:26379/main/one"}),
        ({"E022"}, {"LIVENESS": "cached", "BUS": "redis+sentinel://host:26379/main?pasword=x"}),
        (set(), {"LIVENESS": "cached", "BUS": REDIS}),
        (set(), {"LIVENESS": "database", "BUS": REDIS}),
        ({"E185"}, {"LIVENESS": "cached", "BUS": f"{REDIS}?foo=1"}),
        ({"E185"}, {"NOTICE_QUEUE": "redis://:p#w@127.0.0.1/0"}),
        ({"E185"}, {"DPOP": "optional", "DPOP_STORE": "redis://127.0.0.1:port/0"}),
    ],
)
def test_what_is_remembered_needs_a_bus(expected, changes):
    with override_settings(DEVICES=project.DEVICES | changes):
        assert ids() == expected


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("E040", {"DEVICES": project.DEVICES | {"CLAIMS": ".claims.of"}}),
        ("E040", {"DEVICES": project.DEVICES | {"GEO_BACKEND": ".places.Places"}}),
        ("E040", {"DEVICES": project.DEVICES | {"LABEL_RULES": [""]}}),
        ("E040", {"DEVICES": project.DEVICES | {"LABEL_RULES": [len]}}),
        ("E052", jwt(USER_AUTHENTICATION_RULE="")),
        ("E052", jwt(USER_AUTHENTICATION_RULE=".rules.may_sign_in")),
        ("E052", jwt(TOKEN_REFRESH_SERIALIZER=".serializers.Refresh")),
    ],
)
def test_what_is_no_absolute_path_is_said_too(expected, changes):
    with override_settings(**changes):
        assert ids() == {expected}


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        (set(), "tests.factor.Codes"),
        ({"E030"}, "tests.factor.Coeds"),
        ({"E030"}, "tests.factors.Codes"),
        ({"E030"}, "tests.client.Device"),
        ({"E030"}, "tests.client.PASSWORD"),
        ({"E030"}, "Codes"),
        ({"E030"}, ".factor.Codes"),
    ],
)
def test_the_second_factor_is_where_it_is_said_to_be(expected, path):
    with override_settings(DEVICES=project.DEVICES | {"SECOND_FACTOR": path}):
        assert ids() == expected


PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----"""


@pytest.mark.parametrize(
    ("expected", "keys"),
    [
        (set(), None),
        (set(), "database"),
        (set(), "tests.keys.Elsewhere"),
        (set(), [{"key": PUBLIC, "state": "retired"}]),
        ({"E091"}, "tests.keys.Nowhere"),
        ({"E091"}, "tests.keys.Away"),
        ({"E091"}, 7),
        ({"E091"}, [{"key": PUBLIC}]),
        ({"E091"}, [{"key": PUBLIC, "state": "retired"}] * 2),
        ({"E091"}, [{"key": PUBLIC, "state": "old"}]),
        ({"E091"}, [{"key": PUBLIC, "state": "retired", "algorithm": "ES256"}]),
        ({"E091"}, [{"state": "retired"}]),
        ({"E091"}, [{"key": "no PEM"}]),
        ({"E091"}, [{"key": Path("/nowhere.pem")}]),
        ({"E091"}, [{"key": "short", "algorithm": "HS256", "kid": "a"}]),
        ({"E091"}, [{"key": "long enough " * 4, "algorithm": "HS256"}]),
        ({"E091"}, [{"key": PUBLIC, "algorithm": "HS256", "kid": "a"}]),
        (set(), [{"key": "long enough " * 4, "algorithm": "HS256", "kid": "a"}]),
    ],
)
def test_V11_2_3_keys_that_cannot_be_used_are_said(expected, keys):
    with override_settings(DEVICES=project.DEVICES | {"SIGNING_KEYS": keys}):
        assert ids() == expected


SERVICE = {"secret": "sha256$" + "0" * 64, "may": ["introspect"]}


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (set(), {"ACCESS_TOKEN_FORMAT": "rfc9068"}),
        ({"E092"}, {"ACCESS_TOKEN_FORMAT": "RFC 9068"}),
        (set(), {"SERVICE_CLIENTS": {"reports": SERVICE}}),
        (set(), {"SERVICE_CLIENTS": {"reports": {"secret": [SERVICE["secret"]] * 2}}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"reports": {**SERVICE, "secret": "in plain text"}}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"reports": {**SERVICE, "secret": []}}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"reports": {**SERVICE, "may": ["everything"]}}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"reports": {}}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"reports": "secret"}}),
        ({"E094"}, {"SERVICE_CLIENTS": {"a:b": SERVICE}}),
    ],
)
def test_what_services_are_told_is_well_defined(expected, changes):
    with override_settings(DEVICES=project.DEVICES | changes):
        assert ids() == expected


@pytest.mark.parametrize(
    ("vendor", "keys", "expected"),
    [
        ("postgresql", "database", set()),
        ("postgresql", None, {"E096"}),
        ("sqlite", "database", {"E095"}),
    ],
)
def test_the_feed_needs_postgresql_and_keys(monkeypatch, vendor, keys, expected):
    monkeypatch.setattr(type(connections["default"]), "vendor", vendor)
    with override_settings(DEVICES=project.DEVICES | {"FEED": True, "SIGNING_KEYS": keys}):
        assert ids() - {"E072"} == expected


def test_access_tokens_by_rfc_9068_name_issuer_and_audience():
    changes = {"DEVICES": project.DEVICES | {"ACCESS_TOKEN_FORMAT": "rfc9068"}}
    with override_settings(**changes, **jwt(ISSUER=None)):
        assert ids() == {"W008", "E093"}


def test_keys_of_ours_and_keys_of_others_do_not_mix():
    with override_settings(
        DEVICES=project.DEVICES | {"SIGNING_KEYS": "database"},
        **jwt(JWK_URL="https://keys.example.org/"),
    ):
        assert ids() == {"E090"}


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


def test_an_old_sqlite_is_refused(monkeypatch):
    if connections["default"].vendor != "sqlite":
        pytest.skip("NO SQLITE: the suite runs on another database")
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    assert ids() == {"E072"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, set()),
        ("READ_UNCOMMITTED", set()),
        ("READ_COMMITTED", set()),
        ("REPEATABLE_READ", {"W076"}),
        ("SERIALIZABLE", {"W076"}),
    ],
)
def test_transactions_that_fail_where_they_meet_are_reported(monkeypatch, level, expected):
    if connections["default"].vendor != "postgresql":
        pytest.skip("isolation_level is PostgreSQL's (DATABASE_URL)")
    levels = import_string("django.db.backends.postgresql.psycopg_any.IsolationLevel")
    options = connections["default"].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "isolation_level", level and getattr(levels, level))
    assert ids() == expected


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


@pytest.mark.skipif(django.VERSION >= (6, 1), reason="MAILERS says so since Django 6.1")
@pytest.mark.parametrize(
    ("expected", "login_url", "host"),
    [
        (set(), "/sign-in/", "localhost"),
        ({"W032"}, "/sign-in/", "mail.example.org"),
        ({"W050"}, "/accounts/login/", "localhost"),
    ],
)
def test_copies_of_djangos_own_settings_are_none_of_the_project(
    expected, login_url, host, monkeypatch
):
    """As the classes of django-configurations have them."""
    monkeypatch.setitem(sys.modules, "configurations", SimpleNamespace())
    found = urls.resolve
    monkeypatch.setattr(
        urls, "resolve", lambda path, *given: None if path == login_url else found(path, *given)
    )
    with override_settings(
        EMAIL_BACKEND=SMTP, EMAIL_TIMEOUT=None, EMAIL_HOST=host, LOGIN_URL=login_url
    ):
        assert ids() == expected


def test_sessions_by_a_middleware_of_another_package_are_sessions(settings, monkeypatch):
    """As django-user-sessions has it."""
    package = SimpleNamespace(SessionMiddleware=type("SessionMiddleware", (), {}))
    monkeypatch.setitem(sys.modules, "sessions_of_another_package", package)
    theirs = "sessions_of_another_package.SessionMiddleware"
    others = [each for each in settings.MIDDLEWARE if each != STORES]
    settings.MIDDLEWARE = [theirs, *others]
    assert ids() == set()
    settings.MIDDLEWARE = [*others, theirs]
    assert ids() == {"E026"}


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
    names = (asked, "django.contrib.sessions")
    monkeypatch.setattr("devices.checks.tokens.apps.is_installed", lambda name: name in names)
    assert ids() == {"W045"}


def test_sessions_need_their_table(settings, monkeypatch):
    installed = apps.is_installed
    without = lambda name: name != "django.contrib.sessions" and installed(name)  # noqa: E731
    monkeypatch.setattr(apps, "is_installed", without)
    assert ids() == {"E028"}
    settings.SESSION_ENGINE = "devices.web.session_engines.cache"
    assert ids() == set()
    # As django-qsessions, in whose table they are.
    engine = SimpleNamespace(SessionStore=OwnTable)
    monkeypatch.setitem(sys.modules, "sessions_of_another_package", engine)
    settings.SESSION_ENGINE = "sessions_of_another_package"
    assert ids() == set()


class OwnTable(DeviceSessionStore, db.SessionStore):
    @classmethod
    def get_model_class(cls):
        raise NotImplementedError


@pytest.mark.parametrize("value", [None, [], "DBSC"])
def test_settings_that_are_no_dictionary_are_said_after_the_start(settings, value):
    """They are read at the start, before any check."""
    settings.DEVICES = value
    assert conf.MAX_SESSIONS == 20
    assert ids() == {"E048"}


def test_template_tags_are_imported_without_an_admin():
    """Django imports those of each app at the start."""
    code = (
        "import sys; sys.modules['devices.admin'] = None\n"
        "import django; from django.conf import settings\n"
        "settings.configure(INSTALLED_APPS=[]); django.setup()\n"
        "import devices.templatetags.devices_admin"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project.BASE_DIR, timeout=60)
