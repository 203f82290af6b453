"""What every test has at hand: people, a clock, devices that sign in."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.core.management import call_command

from accounts.models import User
from devices.core import sessions
from devices.core.caller.client import Client
from devices.models import DeviceSession
from tests import oidc
from tests.client import CHROME, PASSWORD, Device
from tests.factor import Codes

SignIn = Callable[..., Device]


def pytest_configure(config: pytest.Config) -> None:
    """Translations are compiled before the workers start, since what is compiled is not in git."""
    if not hasattr(config, "workerinput"):
        call_command("compile_translations")


@pytest.fixture(autouse=True)
def an_empty_cache(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """Its table is no model's, so what empties the others after a test that commits leaves it as it is."""
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction")
    if commits or {"transactional_db", "live_server"} & set(request.fixturenames):
        with django_db_blocker.unblock():
            cache.clear()


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
