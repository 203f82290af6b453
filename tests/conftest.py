"""What every test has at hand: people, a clock, devices that sign in."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.signals import setting_changed
from django.utils import translation
from xdist.scheduler import LoadFileScheduling

from accounts.models import User
from devices.conf import Conf
from devices.core import database, sessions
from devices.core.binding import replay
from devices.core.clients.client import Client
from devices.models import DeviceSession
from tests import oidc
from tests.client import CHROME, PASSWORD, Device
from tests.factor import Codes
from tests.hosts.project import build_wheel, install
from tests.roles import is_superuser
from tests.security_log import Lines

SignIn = Callable[..., Device]


class RacesTogether(LoadFileScheduling):
    """Like `--dist loadfile`, but all races are one file.

    A worker that plays races serves sites of its own. Those of two workers, with the threads of their tests,
    take more than the 100 connections that PostgreSQL gives by default.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return "tests/races" if scope.startswith("tests/races/") else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return RacesTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    """Translations are compiled before the workers start, since what is compiled is not in git."""
    if "CITUS_URL" in os.environ:
        # Whatever else a test sets.
        Conf.CITUS = True  # type: ignore[assignment, method-assign]
    if not hasattr(config, "workerinput"):
        call_command("compile_translations")
        # Words may have been asked for before these were there.
        setting_changed.send(
            sender=None, setting="LOCALE_PATHS", value=django_settings.LOCALE_PATHS, enter=True
        )


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tables of CITUS_URL are spread over its workers; those of PostgreSQL are emptied quickly."""
    with pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock():
            if "CITUS_URL" in os.environ:
                call_command("distribute_sessions", "--yes")
            elif is_superuser():
                patch.setattr(type(connection.ops), "sql_flush", delete_rows)
        yield


def delete_rows(operations: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
    """What empties the tables after a test that commits, without a trigger that writes into others.

    PostgreSQL takes half a second to truncate them. What a migrate has made is left, since it would be made
    again.
    """
    kept = {model._meta.db_table for model in (ContentType, Permission)}
    return [
        "SET LOCAL session_replication_role = replica",
        *(f"DELETE FROM {operations.quote_name(table)}" for table in sorted({*tables} - kept)),
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Of tests with one id, pytest-xdist runs the first and says nothing of the others."""
    for nodeid, count in Counter(item.nodeid for item in session.items).items():
        if count > 1:
            raise pytest.UsageError(f"{count} tests have the id {nodeid}")
    for item in session.items:
        if item.get_closest_marker("own_database") and uses_database(item):
            raise pytest.UsageError(f"{item.nodeid} uses the database that DATABASE_URL names")


def uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db", "live_server"}
    return bool(item.get_closest_marker("django_db") or fixtures & set(item.fixturenames))


@pytest.fixture(autouse=True)
def an_empty_cache(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """Its table is no model's, so what empties the others after a test that commits leaves it as it is."""
    yield
    if commits(request):
        with django_db_blocker.unblock():
            cache.clear()


@pytest.fixture(autouse=True)
def a_proof_is_gone_with_its_test(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a transaction of the site's, one is used up by another connection, which no test rolls back."""
    if not commits(request):
        monkeypatch.setattr(replay, "_connection", lambda: nullcontext(database.connection()))


def commits(request: pytest.FixtureRequest) -> bool:
    """Whether the test commits, so that its tables are emptied after it."""
    marker = request.node.get_closest_marker("django_db")
    return bool(marker is not None and marker.kwargs.get("transaction")) or bool(
        {"transactional_db", "live_server"} & set(request.fixturenames)
    )


@pytest.fixture(autouse=True)
def the_language_of_the_site() -> Iterator[None]:
    """A request in another language leaves it to whatever the thread does next."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app alone, built from a copy."""
    return build_wheel(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def wheel_site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed, for the path of any number of host projects."""
    return install(wheel, tmp_path_factory.mktemp("site"))


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(email: str = "alice@example.org", **fields: object) -> User:
        return User.objects.create_user(email, PASSWORD, **fields)

    return make


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    return make_user("alice@example.org")


@pytest.fixture
def mallory(make_user: Callable[..., User]) -> User:
    return make_user("mallory@example.org")


@pytest.fixture
def sign_in() -> SignIn:
    """sign_in(user, agent=CHROME, ip="203.0.113.7"): a Device with a session of its own."""

    def sign_in(
        user: User, agent: str = CHROME, ip: str = "203.0.113.7", password: str = PASSWORD
    ) -> Device:
        return Device(agent, ip).sign_in(user.email, password)

    return sign_in


@pytest.fixture
def bystanders() -> Callable[[User, int], None]:
    """bystanders(user, n): n further sessions, begun as any other and then copied, since logins take time."""

    def bystanders(user: User, n: int) -> None:
        session = sessions.start(user, Client("192.0.2.1", CHROME))
        fields = [field for field in DeviceSession._meta.concrete_fields if not field.primary_key]
        values = {field.attname: getattr(session, field.attname) for field in fields}
        DeviceSession.objects.bulk_create(DeviceSession(**values) for _ in range(n - 1))

    return bystanders


@pytest.fixture
def codes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[Codes]:
    """Second factors made of lists of codes: `codes.codes[user.pk] = ["100000"]`."""
    settings.DEVICES = {**settings.DEVICES, "SECOND_FACTOR": "tests.factor.Codes"}
    monkeypatch.setattr(Codes, "codes", {})
    monkeypatch.setattr(Codes, "looked_at", 0)
    return Codes


@pytest.fixture
def security_lines() -> Iterator[Lines]:
    """What is written to the security log. caplog does not see it: the site's logger hands nothing on."""
    handler, logger = Lines(), logging.getLogger("devices.security")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(scope="session")
def loopback() -> Iterator[oidc.Provider]:
    """A real OpenID Connect provider on this machine."""
    with oidc.serve() as provider:
        yield provider


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is moved: `clock.shift(seconds)`."""
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), tick=False) as traveller:
        yield traveller
