"""Changing the password: proves the old one, and ends what was begun under it."""

import pytest

from accounts.models import User
from devices.models import DeviceSession
from tests.client import PASSWORD, Device, refusal

NEW = "another horse 9 battery"


def change(device, current=PASSWORD, new=NEW):
    return device.post("/api/me/password", {"current_password": current, "new_password": new})


def test_7_4_3_a_new_password_ends_all_other_sessions(alice, mallory, sign_in):
    phone, laptop, foreign = sign_in(alice), sign_in(alice), sign_in(mallory)
    answer = change(phone)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Cache-Control"] == "no-store"
    assert refusal(laptop.get("/api/me")) == (401, "session_revoked")
    assert refusal(laptop.refresh()) == (401, "session_revoked")
    session = DeviceSession.objects.get(pk=laptop.session_id)
    assert session.revoke_reason == "password_changed"
    assert phone.is_in()
    assert phone.rotate().is_in()
    assert foreign.is_in()


def test_only_the_new_password_signs_in(alice, sign_in):
    change(sign_in(alice))
    credentials = {"email": alice.email, "password": PASSWORD}
    assert Device().post("/api/login", credentials).status_code == 401
    assert Device().post("/api/login", {**credentials, "password": NEW}).status_code == 200


def test_a_password_may_be_set_again(alice, sign_in):
    phone = sign_in(alice)
    assert change(phone).status_code == 204
    assert change(phone, NEW, PASSWORD).status_code == 204
    assert phone.is_in()


@pytest.mark.parametrize("current", ["wrong", PASSWORD + " ", PASSWORD.upper(), NEW])
def test_DJ5_without_the_old_password_nothing_changes(alice, sign_in, current):
    phone, laptop = sign_in(alice), sign_in(alice)
    answer = change(phone, current)
    assert answer.status_code == 400
    assert answer.json() == {"current_password": ["This is not your current password."]}
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert laptop.is_in()


@pytest.mark.parametrize(
    "new", ["short 9", "password123", "84635201974", "alice@example", "n" * 1025]
)
def test_a_weak_password_is_refused(alice, sign_in, new):
    phone, laptop = sign_in(alice), sign_in(alice)
    answer = change(phone, new=new)
    assert (answer.status_code, set(answer.json())) == (400, {"new_password"})
    assert laptop.is_in()


def test_6_2_3_a_wrong_current_password_counts_as_a_failed_login(alice, sign_in, clock):
    phone = sign_in(alice, ip="203.0.113.7")
    intruder = sign_in(alice, ip="198.51.100.66")
    assert [change(intruder, "wrong").status_code for _ in range(10)] == [400] * 10
    # From where the account was signed in there are attempts of its own; these are used up next.
    statuses = [change(intruder, "wrong").status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
    refused = change(intruder)
    assert refusal(refused) == (429, "throttled")
    assert 0 < int(refused["Retry-After"]) <= 60
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    # Neither is anything left at the login, but for the owner, at her own address.
    credentials = {"email": alice.email, "password": PASSWORD}
    stranger = Device(ip="192.0.2.99").post("/api/login", credentials)
    assert refusal(stranger) == (429, "throttled")
    assert change(phone).status_code == 204
    assert not intruder.is_in()


def test_the_right_current_password_is_no_failure(alice, sign_in, clock):
    phone, passwords = sign_in(alice), [PASSWORD, NEW]
    for n in range(15):
        assert change(phone, passwords[n % 2], passwords[(n + 1) % 2]).status_code == 204


def test_A18_an_account_that_changes_meanwhile_keeps_its_password(alice, sign_in, monkeypatch):
    phone = sign_in(alice)

    def meanwhile(*args):
        User.objects.filter(pk=alice.pk).update(is_active=False)

    monkeypatch.setattr("accounts.serializers.password_validation.validate_password", meanwhile)
    assert refusal(change(phone)) == (401, "no_active_account")
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
