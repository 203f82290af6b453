"""The lineage of a refresh token over time: lost answers, replays, and the two limits."""

import re

import jwt
import pytest
from django.db import connection

from devices import signals
from devices.core import sessions, tokens
from devices.core.clients.client import Client
from devices.core.log.security_log import Event
from devices.core.risk import assessment
from devices.models import Activity, DeviceSession, Notification, RevokeReason
from tests.client import CHROME, FIREFOX, IPHONE, Device

GRACE, DAY, IDLE = 20, 24 * 3600, 30 * 24 * 3600


def refused(answer):
    assert answer.status_code == 401, answer.json()
    return answer.json()["code"]


def payload(token):
    return jwt.decode(token, options={"verify_signature": False})


def row(device):
    return DeviceSession.objects.get(pk=device.session_id)


@pytest.fixture
def heard():
    """What the signals told, as (signal, session, reason)."""
    told = []

    def revoked(session, reason, **kwargs):
        told.append(("revoked", str(session.pk), reason))

    def reused(session, **kwargs):
        told.append(("reused", str(session.pk)))

    signals.session_revoked.connect(revoked)
    signals.refresh_reused.connect(reused)
    yield told
    signals.session_revoked.disconnect(revoked)
    signals.refresh_reused.disconnect(reused)


@pytest.mark.parametrize("later", [0, GRACE, GRACE + 1, 5 * 3600, 29 * DAY])
def test_R09_a_client_that_lost_the_answer_gets_it_again(alice, sign_in, clock, later):
    phone = sign_in(alice)
    lost = phone.refresh().json()
    clock.shift(later)
    again = phone.refresh()
    assert again.status_code == 200
    assert again.json()["refresh"] == lost["refresh"]
    phone.hold(again.json())
    assert phone.is_in()
    assert phone.rotate().is_in()


def test_R09_asking_again_gives_the_same_successor_and_moves_nothing(alice, sign_in, clock):
    phone = sign_in(alice)
    first = phone.refresh().json()
    moved = row(phone)
    for later in (1, 10, 3600, DAY):
        clock.shift(later)
        again = phone.refresh().json()
        assert again["refresh"] == first["refresh"]
        assert again["access"] != first["access"]
        assert payload(again["access"])["generation"] == 1
    assert DeviceSession.objects.filter(pk=moved.pk).values().get() == {
        field.attname: getattr(moved, field.attname) for field in DeviceSession._meta.fields
    }


def test_R09_within_the_grace_a_used_successor_does_no_harm(alice, sign_in, clock):
    """Two tabs: one goes on with its answer at once, the other's request was still on its way."""
    phone = sign_in(alice)
    before = phone.refresh_token
    phone.rotate()
    assert phone.is_in()
    clock.shift(GRACE)
    again = phone.refresh(before)
    assert again.json()["refresh"] == phone.refresh_token


def test_A14_a_replay_past_the_grace_ends_its_session_and_only_that(alice, sign_in, clock):
    phone, laptop = sign_in(alice), sign_in(alice, FIREFOX)
    stolen = phone.refresh_token
    # The answer has reached the client once its access token was used.
    assert phone.rotate().is_in()
    clock.shift(GRACE + 1)
    assert refused(phone.refresh(stolen)) == "refresh_reused"
    assert refused(phone.refresh()) == "session_revoked"
    assert refused(phone.get("/api/me")) == "session_revoked"
    assert row(phone).revoke_reason == "reuse"
    assert laptop.rotate().is_in()
    # To the thief it is now as ended as to everybody else.
    assert refused(phone.refresh(stolen)) == "session_revoked"


@pytest.mark.parametrize("later", [0, GRACE + 1, 5 * 3600])
@pytest.mark.parametrize("depth", range(2, 7))
def test_A17_a_token_from_further_back_is_a_replay_at_once(alice, sign_in, clock, depth, later):
    phone, laptop = sign_in(alice), sign_in(alice, FIREFOX)
    old = phone.refresh_token
    for _ in range(depth):
        phone.rotate()
    clock.shift(later)
    assert refused(phone.refresh(old)) == "refresh_reused"
    assert refused(phone.refresh()) == "session_revoked"
    assert refused(phone.get("/api/me")) in ("session_revoked", "token_not_valid")
    assert row(phone).revoke_reason == "reuse"
    assert laptop.rotate().is_in()


@pytest.mark.parametrize("depth", range(1, 7))
def test_A14_in_every_depth_the_predecessor_is_a_replay_once_its_successor_is_used(
    alice, sign_in, clock, depth
):
    phone = sign_in(alice)
    for _ in range(depth):
        before = phone.refresh_token
        clock.shift(3600)
        phone.rotate()
    assert phone.is_in()
    clock.shift(GRACE + 1)
    assert refused(phone.refresh(before)) == "refresh_reused"
    assert refused(phone.refresh()) == "session_revoked"


def test_A14_a_replay_is_written_down_once_and_told_after_commit(
    alice, sign_in, clock, heard, django_capture_on_commit_callbacks
):
    phone = sign_in(alice)
    stolen = phone.refresh_token
    phone.rotate().rotate()
    with django_capture_on_commit_callbacks(execute=True):
        assert refused(phone.refresh(stolen)) == "refresh_reused"
        assert refused(phone.refresh(stolen)) == "session_revoked"
        assert heard == []
    assert heard == [("revoked", phone.session_id, "reuse"), ("reused", phone.session_id)]
    lines = Activity.objects.filter(session_id=phone.session_id).order_by("id")
    assert [(line.kind, line.data) for line in lines] == [
        ("session.started", {"method": "password"}),
        ("session.revoked", {"reason": "reuse"}),
        ("refresh.reused", {"generation": 0, "current": 2}),
    ]


def test_S23_a_refresh_changes_nothing_about_the_login(alice, sign_in, clock):
    phone = sign_in(alice)
    login = ("login_method", "authenticated_at", "mfa_at", "created_at", "ip_address", "user_agent")
    before = DeviceSession.objects.values(*login, "absolute_expires_at").get()
    for _ in range(5):
        clock.shift(3600)
        phone.rotate()
    assert DeviceSession.objects.values(*login, "absolute_expires_at").get() == before


@pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 401), (-1, 401)])
def test_7_3_1_the_idle_limit_holds_to_the_second(alice, sign_in, clock, left, status):
    phone = sign_in(alice)
    clock.shift(DAY)
    phone.rotate()
    # The refresh has moved it.
    clock.shift(IDLE - left)
    answer = phone.refresh()
    assert answer.status_code == status
    if status == 401:
        # The token itself is still within the leeway for clocks that differ; the row is exact.
        assert refused(answer) == "session_expired"


@pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 401), (-1, 401)])
def test_7_3_1_the_limits_hold_for_access_tokens_too(alice, sign_in, clock, settings, left, status):
    minute = 60 / DAY
    settings.DEVICES = {**settings.DEVICES, "SESSION_MAX_AGE": 2 * minute}
    phone = sign_in(alice)
    clock.shift(100)
    phone.rotate()
    clock.shift(20 - left)
    answer = phone.get("/api/me")
    assert answer.status_code == status
    if status == 401:
        assert refused(answer) == "session_expired"


def test_7_3_2_no_refresh_moves_the_absolute_limit(alice, sign_in, clock, settings):
    settings.DEVICES = {**settings.DEVICES, "SESSION_MAX_AGE": 40}
    phone = sign_in(alice)
    absolute = row(phone).absolute_expires_at.timestamp()
    for _ in range(39):
        clock.shift(DAY)
        phone.rotate()
        assert payload(phone.refresh_token)["exp"] <= absolute
        assert payload(phone.access)["exp"] <= absolute
    clock.shift(DAY - 1)
    assert phone.rotate().is_in()
    clock.shift(1)
    assert refused(phone.refresh()) == "session_expired"
    assert refused(phone.get("/api/me")) == "session_expired"


def test_S08_nothing_that_is_stored_opens_anything(alice, sign_in, clock):
    phone = sign_in(alice)
    sign_in(alice, FIREFOX).rotate()
    phone.rotate()
    stored = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for value in (str(value) for values in cursor.fetchall() for value in values):
                stored |= {value, *re.findall(r"[^\s\"',:{}\[\]]+", value)}
    assert {alice.password, row(phone).password_stamp} <= stored
    stored.add(phone.session_id)
    for value in stored - {""}:
        assert phone.refresh(value).status_code == 401, value
        phone.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        assert phone.get("/api/me").status_code == 401, value


def fail_over(device, lost):
    """The database forgets the last rotations of a session."""
    session = row(device)
    before = session.generation - lost
    DeviceSession.objects.filter(pk=session.pk).update(
        generation=before, generation_used=max(before - 1, 0)
    )


def test_R22_a_refresh_token_ahead_of_its_row_moves_it_on(
    alice, sign_in, clock, security_lines, django_capture_on_commit_callbacks
):
    phone = sign_in(alice).rotate()
    older = phone.refresh_token
    phone.rotate().rotate()
    fail_over(phone, lost=3)
    # An access token alone does not tell where its client is; then it is refreshed.
    assert refused(phone.get("/api/me")) == "token_not_valid"
    last = phone.refresh_token
    with django_capture_on_commit_callbacks(execute=True):
        phone.rotate()
    session = row(phone)
    assert (session.generation, session.generation_used, session.revoked_at) == (4, 3, None)
    assert phone.is_in()
    line = Activity.objects.get(kind="refresh.recovered")
    assert line.data == {"generation": 3, "current": 0}
    assert security_lines.of(Event.REFRESH_RECOVERED)
    # It may ask again, as after any refresh; an older token is a copy, as it was before.
    again = phone.refresh(last)
    assert again.json()["refresh"] == phone.refresh_token
    assert refused(phone.refresh(older)) == "refresh_reused"


@pytest.mark.parametrize("first", ["owner", "thief"])
def test_R22_a_copy_is_noticed_across_a_failover(alice, sign_in, clock, first):
    phone = sign_in(alice).rotate()
    stolen = phone.refresh_token
    phone.rotate().rotate()
    fail_over(phone, lost=2)
    assert row(phone).generation == 1
    if first == "owner":
        phone.rotate()
        assert refused(phone.refresh(stolen)) == "refresh_reused"
    else:
        # To the database the copy is the last token there is, until the owner comes.
        copy = phone.refresh(stolen).json()
        phone.rotate()
        assert refused(phone.refresh(copy["refresh"])) == "refresh_reused"
    assert not phone.is_in()


def test_R22_ahead_from_elsewhere_is_refused(alice, sign_in, clock):
    phone = sign_in(alice).rotate().rotate()
    fail_over(phone, lost=1)
    thief = Device(IPHONE, "203.0.113.9")
    assert refused(thief.refresh(phone.refresh_token)) == "token_not_valid"
    assert phone.rotate().is_in()


def test_R22_what_has_ended_does_not_move(alice, sign_in, clock):
    phone = sign_in(alice).rotate()
    fail_over(phone, lost=1)
    sessions.revoke(row(phone), reason=RevokeReason.USER)
    assert refused(phone.refresh()) == "session_revoked"
    assert row(phone).generation == 0


def test_R22_another_request_that_is_faster_ends_nothing(alice, sign_in, clock, monkeypatch):
    """A token that the database still knew moves the row, between the look and the move of one ahead."""
    phone = sign_in(alice)
    known = tokens.read_refresh(phone.refresh_token)
    phone.rotate().rotate().rotate()
    fail_over(phone, lost=3)
    look, calls = assessment.is_elsewhere, []

    def is_elsewhere(session, client):
        if not calls:
            calls.append(session)
            sessions.rotate(known, Client("203.0.113.7", CHROME))
        return look(session, client)

    monkeypatch.setattr(assessment, "is_elsewhere", is_elsewhere)
    assert phone.rotate().is_in()
    assert row(phone).generation == 4


def test_R22_without_rotation_it_moves_as_far_as_its_client_is(alice, sign_in, clock, settings):
    phone = sign_in(alice).rotate().rotate()
    fail_over(phone, lost=2)
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ROTATE_REFRESH_TOKENS": False}
    for _ in range(2):
        assert phone.refresh().status_code == 200
    assert row(phone).generation == 2
    assert Activity.objects.filter(kind="refresh.recovered").count() == 1


def test_R22_a_token_ahead_of_its_row_signs_out(alice, sign_in, clock):
    phone = sign_in(alice).rotate()
    fail_over(phone, lost=1)
    assert phone.post("/api/token/blacklist", {"refresh": phone.refresh_token}).status_code == 200
    assert row(phone).revoke_reason == RevokeReason.LOGOUT


def test_a_clock_that_is_put_back_prolongs_no_grace(alice, sign_in, clock):
    phone = sign_in(alice)
    used = phone.refresh_token
    clock.shift(600)
    assert phone.rotate().is_in()
    clock.shift(-300)
    assert refused(phone.refresh(used)) == "refresh_reused"


@pytest.mark.parametrize("rotations", [0, 1])
def test_S09_a_refresh_token_that_could_be_used_signs_out(alice, sign_in, rotations):
    phone = sign_in(alice)
    token = phone.refresh_token
    for _ in range(rotations):
        phone.rotate()
    assert phone.post("/api/token/blacklist", {"refresh": token}).status_code == 200
    assert row(phone).revoke_reason == "logout"


def test_S09_a_used_up_refresh_token_is_a_copy_and_signs_nobody_out_as_themselves(
    alice, sign_in, clock
):
    phone = sign_in(alice)
    copied = phone.refresh_token
    for _ in range(3):
        phone.rotate()
        clock.shift(60)
        assert phone.is_in()
    answer = phone.post("/api/token/blacklist", {"refresh": copied})
    assert (answer.status_code, answer.json()) == (200, {})
    assert row(phone).revoke_reason == "reuse"
    assert Activity.objects.filter(kind="refresh.reused").exists()
    assert Notification.objects.filter(kind="refresh_reused").exists()
