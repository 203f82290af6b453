"""Staff with their browsers, and sessions to look at."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import auth
from django.contrib.auth.models import Permission
from django.test import Client as Browser

from accounts.models import User
from devices import admin_site
from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import DeviceSession
from devices.web import cookie
from devices.web.session_store import DeviceSessionStore
from tests.client import CHROME

MakeStaff = Callable[..., Any]


@pytest.fixture(autouse=True)
def staff_beside_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Staff come in without a session of their own, which would stand among those they look at.

    That theirs are sessions as anybody's is tested in tests/devices/web, and that they have to prove
    again who they are in test_step_up.py there.
    """
    monkeypatch.setattr(admin_site, "is_confirmed", lambda request: True)
    monkeypatch.setattr(cookie, "begin", lambda request, user: None)
    monkeypatch.setattr(cookie, "_ask", auth.get_user)
    monkeypatch.setattr(DeviceSessionStore, "_admit", lambda store, data: data)


@pytest.fixture
def make_staff(make_user: Callable[..., User]) -> MakeStaff:
    """make_staff("name", *codenames, **fields): a browser in which this member of staff is logged in."""

    def make_staff(name: str, *codenames: str, **fields: object) -> Any:
        user = make_user(f"{name}@staff.example", is_staff=True, **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser: Any = Browser()
        browser.force_login(user)
        browser.user = user
        return browser

    return make_staff


@pytest.fixture
def clerk(make_staff: MakeStaff) -> Any:
    """Staff without a permission of ours."""
    return make_staff("clerk", "view_user", "change_user")


@pytest.fixture
def viewer(make_staff: MakeStaff) -> Any:
    return make_staff("viewer", "view_devicesession")


@pytest.fixture
def revoker(make_staff: MakeStaff) -> Any:
    return make_staff("revoker", "view_devicesession", "revoke_devicesession")


@pytest.fixture
def root(make_staff: MakeStaff) -> Any:
    return make_staff("root", is_superuser=True)


@pytest.fixture
def start(db: None) -> Callable[..., DeviceSession]:
    """start(user, agent=CHROME, ip="203.0.113.7"): a session."""

    def start(user: User, agent: str = CHROME, ip: str | None = "203.0.113.7") -> DeviceSession:
        return sessions.start(user, Client(ip, agent))

    return start
