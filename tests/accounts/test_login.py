"""Login: tokens for those who know the password, one answer for everybody else."""

import pytest

from devices.core import throttling
from devices.models import Activity, DeviceSession
from tests.accounts.test_register import TOKENS
from tests.client import IPHONE, PASSWORD, Device, refusal


def login(email="alice@example.org", password=PASSWORD, **more):
    return Device(IPHONE).post("/api/login", {"email": email, "password": password, **more})


def test_logging_in_gives_tokens(alice, clock):
    answer = login()
    assert answer.status_code == 200
    tokens = answer.json()
    assert set(tokens) == TOKENS
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 300)
    assert answer["Cache-Control"] == "no-store"
    assert str(DeviceSession.objects.get().pk) == tokens["session_id"]
    device = Device()
    device.hold(tokens)
    assert device.is_in()
    assert device.rotate().is_in()


def test_an_access_token_outlives_neither_the_session_nor_what_is_said_of_it(
    alice, sign_in, clock, settings
):
    settings.DEVICES = {**settings.DEVICES, "SESSION_MAX_AGE": 100 / 86_400}
    assert login().json()["expires_in"] == 100


@pytest.mark.parametrize("email", ["ALICE@EXAMPLE.ORG", " alice@example.org\n"])
def test_the_case_of_an_address_does_not_matter(alice, email):
    assert login(email).status_code == 200


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.org", "wrong"),
        ("alice@example.org", PASSWORD + " "),
        ("alice@example.org", PASSWORD.upper()),
        ("alice@example.org", "x" * 100_000),
        ("nobody@example.org", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("x" * 100_000, PASSWORD),
        ("al%ice@example.org", PASSWORD),
        ("\u0131lice@example.org", PASSWORD),
    ],
    ids=lambda value: value[:20],
)
def test_MS3_whatever_was_wrong_the_answer_is_one(alice, email, password):
    answer = login(email, password)
    assert refusal(answer) == (401, "no_active_account")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json()["detail"] == "No active account found with the given credentials"
    assert not DeviceSession.objects.exists()


def test_a_number_is_no_password_though_it_reads_the_same(make_user):
    bob = make_user("bob@example.org")
    bob.set_password("84635201974635")
    bob.save()
    assert login(bob.email, "84635201974635").status_code == 200
    assert login(bob.email, 84635201974635).status_code == 400


@pytest.mark.parametrize("given", [{}, {"email": "alice@example.org"}, {"password": PASSWORD}])
def test_what_is_missing_is_named(db, given):
    answer = Device().post("/api/login", given)
    assert answer.status_code == 400
    assert set(answer.json()) == {"email", "password"} - set(given)


def test_7_2_4_each_login_is_a_session_of_its_own(alice, sign_in):
    phone = sign_in(alice)
    again = phone.post(
        "/api/login",
        {"email": alice.email, "password": PASSWORD, "session_id": phone.session_id},
    ).json()
    assert again["session_id"] != phone.session_id
    # It took the place of the one before, on the same device.
    assert DeviceSession.objects.get(pk=phone.session_id).revoke_reason == "superseded"
    assert Activity.objects.filter(kind="session.started").count() == 2


def test_a_login_of_an_intruder_is_a_session_of_the_intruder(alice, mallory, sign_in):
    phone = sign_in(alice)
    answer = phone.post("/api/login", {"email": mallory.email, "password": PASSWORD})
    session = DeviceSession.objects.get(pk=answer.json()["session_id"])
    assert session.user_id == mallory.pk


# Logout


def test_logging_out_ends_the_current_session(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    answer = phone.post("/api/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Cache-Control"] == "no-store"
    session = DeviceSession.objects.get(pk=phone.session_id)
    assert (session.revoke_reason, session.revoked_by_id) == ("logout", alice.pk)
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert refusal(phone.refresh()) == (401, "session_revoked")
    assert laptop.is_in()


def test_logging_out_twice_is_refused(alice, sign_in):
    phone = sign_in(alice)
    phone.post("/api/logout")
    assert refusal(phone.post("/api/logout")) == (401, "session_revoked")


def test_DJ2_an_anonymous_logout_writes_nothing(alice, sign_in):
    sign_in(alice)
    before = list(DeviceSession.objects.values()), Activity.objects.count()
    assert refusal(Device().post("/api/logout")) == (401, "not_authenticated")
    assert (list(DeviceSession.objects.values()), Activity.objects.count()) == before


def test_10_5_5_a_session_id_signs_nobody_out(alice, sign_in):
    phone = sign_in(alice)
    stranger = Device()
    stranger.post("/api/logout", {"session_id": phone.session_id})
    stranger.post("/api/logout", HTTP_AUTHORIZATION=f"Bearer {phone.session_id}")
    stranger.post("/api/token/blacklist", {"refresh": phone.session_id})
    assert phone.is_in()


@pytest.mark.parametrize("path", ["/api/login", "/api/token"])
def test_A13_an_account_deactivated_after_the_proof_gets_no_tokens(alice, monkeypatch, path):
    succeeded = throttling.Attempt.succeeded

    def meanwhile(attempt):
        succeeded(attempt)
        type(alice).objects.filter(pk=alice.pk).update(is_active=False)

    monkeypatch.setattr(throttling.Attempt, "succeeded", meanwhile)
    answer = Device().post(path, {"email": alice.email, "password": PASSWORD})
    assert refusal(answer) == (401, "no_active_account")
    assert not DeviceSession.objects.exists()


def test_the_last_login_is_kept_where_the_site_wants_it(alice, settings, clock):
    login()
    alice.refresh_from_db()
    assert alice.last_login is None
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "UPDATE_LAST_LOGIN": True}
    login()
    alice.refresh_from_db()
    assert alice.last_login == DeviceSession.objects.latest("created_at").created_at
