"""The security log: every event there is, as one line of JSON that no client can break or spoil."""

import json
import logging

import pytest

from devices.core.clients.client import Client
from devices.core.log.security_log import Event, log
from devices.core.staff import accounts, bulk_revocation
from devices.models import DeviceSession
from tests.client import FIREFOX, PASSWORD, Device
from tests.forge import A_TOKEN

# Written where their own tests look: recovery, binding, keys, rotation, failover, services, trusted_devices.
BY_THEMSELVES = {
    Event.ACCOUNT_RECOVERED,
    Event.BINDING_FAILED,
    Event.BINDING_LOST,
    Event.DATABASE_REPLACED,
    Event.DEVICE_CODE_FAILED,
    Event.DEVICE_CODE_SENT,
    Event.DEVICE_TRUSTED,
    Event.KEY_ROTATED,
    Event.KEY_WITHDRAWN,
    Event.OTP_SKIPPED,
    Event.REFRESH_RECOVERED,
    Event.SERVICE_REFUSED,
}


@pytest.mark.django_db(transaction=True)
def test_V16_3_1_each_event_is_written_when_it_happens_and_no_other_exists(
    alice, mallory, make_user, codes, sign_in, clock, security_lines
):
    phone, laptop = sign_in(alice), sign_in(alice, ip="198.51.100.4")
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    for _ in range(11):
        Device().post("/api/login", {"email": "nobody@example.org", "password": "wrong"})
    codes.codes[mallory.pk] = ["100000"]
    for otp in ("100000", *["0"] * 21):
        Device().post("/api/login", {"email": mallory.email, "password": PASSWORD, "otp": otp})
    used_up = phone.refresh_token
    phone.rotate()
    phone.refresh(used_up)
    elsewhere = Device(FIREFOX, "133.11.0.1")
    elsewhere.get("/api/me", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    clock.shift(60)
    assert phone.refresh(used_up).status_code == 401
    assert not phone.is_in()
    Device().get("/api/me", HTTP_AUTHORIZATION="Bearer nonsense")
    laptop.post("/api/logout")
    for _ in range(5):
        Device().post("/api/login", {"email": alice.email, "password": "guessed"})
    sign_in(alice, agent=FIREFOX, ip="192.0.2.9")
    root = make_user("root@example.org", is_superuser=True)
    bulk_revocation.revoke(DeviceSession.objects.for_user(alice), by=root, note="Ticket 4711")

    desk = DeviceSession.objects.get(pk=sign_in(root).session_id)
    accounts.begin_impersonation(desk, alice, Client("192.0.2.9"), note="Ticket 4711")

    assert {line["event"] for line in security_lines.events} == {
        event.value for event in set(Event) - BY_THEMSELVES
    }
    assert len(security_lines.of(Event.SESSION_STARTED)) == 6
    assert len(security_lines.of(Event.REFRESH_SUCCEEDED)) == 1
    [suspicious] = security_lines.of(Event.LOGIN_SUSPICIOUS)
    assert (suspicious["level_of_risk"], suspicious["reasons"]) == (
        "medium",
        "new_device failures",
    )
    [reused] = security_lines.of(Event.REFRESH_REUSED)
    assert reused["session"] == phone.session_id
    assert reused["user"] == str(alice.pk)
    assert (reused["address"], reused["outcome"], reused["level"]) == (
        "203.0.113.7",
        "failure",
        "WARNING",
    )
    by_staff, *others = sorted(
        security_lines.of(Event.SESSION_REVOKED), key=lambda line: line["reason"]
    )
    assert {line["reason"] for line in others} == {"reuse", "logout"}
    assert (by_staff["reason"], by_staff["by"], by_staff["note"]) == (
        "admin",
        str(root.pk),
        "Ticket 4711",
    )
    [acting] = security_lines.of(Event.SESSION_IMPERSONATED)
    assert (acting["user"], acting["by"], acting["note"]) == (
        str(alice.pk),
        str(root.pk),
        "Ticket 4711",
    )
    [staff_revoked] = security_lines.of(Event.STAFF_REVOKED)
    assert (staff_revoked["user"], staff_revoked["sessions"]) == (str(root.pk), "1")
    [after_end] = security_lines.of(Event.SESSION_USED_AFTER_END)
    assert after_end["code"] == "session_revoked"
    [refused] = security_lines.of(Event.ACCESS_REFUSED)
    assert (refused["code"], refused["path"]) == ("token_not_valid", "/api/me")
    assert all(line["time"].endswith("+00:00") for line in security_lines.events)


@pytest.mark.django_db(transaction=True)
def test_V16_2_5_no_secret_is_in_it(alice, sign_in, security_lines):
    phone = sign_in(alice)
    phone.rotate()
    Device().post("/api/login", {"email": "typed " + PASSWORD, "password": PASSWORD})
    Device().post("/api/token/refresh", {"refresh": phone.access})
    text = "\n".join(security_lines.written)
    assert A_TOKEN.search(phone.access) and not A_TOKEN.search(text)
    assert PASSWORD not in text


HOSTILE = "a\nb\r\x1b[2J\u2028\u202e\"'\\%0a${jndi:x}\x00"


def test_A41_one_event_is_one_line_whatever_is_in_it(security_lines):
    log(Event.ACCESS_REFUSED, client=Client("203.0.113.7"), path=HOSTILE + "x" * 1_000_000)
    [line] = security_lines.written
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["path"] == (HOSTILE + "x" * 200)[:200]


def test_a_formatter_that_knows_no_fields_writes_everything(alice, sign_in, security_lines):
    sign_in(alice)
    log(Event.ACCESS_REFUSED, client=Client("203.0.113.7"), path=HOSTILE)
    plain = logging.Formatter("%(levelname)s %(name)s %(message)s")
    written = [plain.format(r) for r in security_lines.records]
    assert (
        f'INFO devices.security login.succeeded outcome="success" user="{alice.pk}"'
        f' session=null address="203.0.113.7"'
    ) in "\n".join(written)
    assert all(line.isascii() and line.isprintable() for line in written)
    assert json.dumps(HOSTILE) in written[-1]
