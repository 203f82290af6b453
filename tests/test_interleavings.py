"""Races without luck: what another request does just before this one writes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from devices.core import sessions
from devices.core.clients.client import Client
from devices.exceptions import AccountNotActive
from devices.models import Activity, DeviceSession, RevokeReason
from tests.client import FIREFOX

UPDATE = f'UPDATE "{DeviceSession._meta.db_table}"'


@contextmanager
def meanwhile(act: Callable[[], object], *, before: str = UPDATE) -> Iterator[None]:
    """Have `act` done just before the first statement that begins like this."""
    waiting = [act]

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if waiting and sql.startswith(before):
            waiting.pop()()
        return execute(sql, *arguments)

    with connection.execute_wrapper(watch):
        yield
    assert not waiting, f"nothing began with {before}"


def row(device):
    return DeviceSession.objects.get(pk=device.session_id)


def refused(answer):
    assert answer.status_code == 401, answer.json()
    return answer.json()["code"]


def test_A19_a_revocation_beats_the_refresh_that_did_not_see_it_coming(alice, sign_in):
    phone = sign_in(alice)
    before = row(phone)
    with meanwhile(lambda: sessions.revoke(row(phone), reason=RevokeReason.ADMIN)):
        assert refused(phone.refresh()) == "session_revoked"
    after = row(phone)
    assert (after.generation, after.rotated_at) == (before.generation, before.rotated_at)
    assert after.revoke_reason == "admin"


def test_A19_a_cleaned_up_session_beats_the_refresh(alice, sign_in):
    phone = sign_in(alice)
    with meanwhile(lambda: DeviceSession.objects.filter(pk=phone.session_id).delete()):
        assert refused(phone.refresh()) == "token_not_valid"


def test_A15_who_comes_second_gets_the_successor_of_the_first(alice, sign_in):
    phone = sign_in(alice)
    faster = {}
    with meanwhile(lambda: faster.update(phone.refresh().json())):
        slower = phone.refresh()
    assert slower.json()["refresh"] == faster["refresh"]
    assert row(phone).generation == 1


def test_A17_a_refresh_that_was_overtaken_twice_is_a_replay(alice, sign_in):
    phone = sign_in(alice)
    slow = phone.refresh_token
    with meanwhile(lambda: phone.rotate().rotate()):
        assert refused(phone.refresh(slow)) == "refresh_reused"
    assert (row(phone).generation, row(phone).revoke_reason) == (2, "reuse")


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"password": "md5$another$2bd0b8ba24e0f5a3a5bd6e0e6a3bd2cf"}],
    ids=["deactivated", "password changed"],
)
def test_A13_two_requests_that_find_the_account_changed_are_both_refused(alice, sign_in, change):
    phone = sign_in(alice)
    User.objects.filter(pk=alice.pk).update(**change)
    with meanwhile(lambda: refused(phone.get("/api/me"))):
        assert refused(phone.get("/api/me")) == "session_revoked"
    assert Activity.objects.filter(kind="session.revoked").count() == 1


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"password": "md5$another$2bd0b8ba24e0f5a3a5bd6e0e6a3bd2cf"}],
    ids=["deactivated", "password changed"],
)
def test_A18_a_password_proved_before_the_account_changed_starts_no_session(alice, change):
    proved = User.objects.get(pk=alice.pk)
    User.objects.filter(pk=alice.pk).update(**change)
    with pytest.raises(AccountNotActive):
        sessions.start(proved, Client())
    assert not DeviceSession.objects.exists()


def test_of_two_revocations_the_first_reason_stays(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice, FIREFOX)
    with meanwhile(lambda: sessions.revoke(row(phone), reason=RevokeReason.ADMIN)):
        answer = laptop.delete(f"/api/sessions/{phone.session_id}")
    assert answer.status_code == 204
    assert row(phone).revoke_reason == "admin"
    assert Activity.objects.filter(kind="session.revoked").count() == 1


def test_renaming_a_session_that_ends_meanwhile_changes_nothing(alice, sign_in):
    phone = sign_in(alice)
    with meanwhile(lambda: sessions.revoke(row(phone), reason=RevokeReason.ADMIN)):
        answer = phone.patch("/api/sessions/current", {"name": "Phone"})
    assert answer.status_code == 404
    assert row(phone).name == ""
    assert not Activity.objects.filter(kind="session.renamed").exists()


def test_noting_activity_brings_no_session_back(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(61)
    with meanwhile(lambda: sessions.revoke(row(phone), reason=RevokeReason.ADMIN)):
        phone.get("/api/me")
    assert row(phone).revoke_reason == "admin"
    assert refused(phone.get("/api/me")) == "session_revoked"
