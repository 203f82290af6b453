"""SimpleJWT's four exchanges over sessions: shapes, refusals, and what is in a token."""

import jwt
import pytest
from django.conf import settings as project

from devices.models import DeviceSession
from tests.client import PASSWORD, Device, refusal

GARBAGE = ["junk", "a.b.c", "..", "eyJhbGciOiJIUzI1NiJ9.e30.", "é", "x" * 10_000]


def claims(token):
    return jwt.decode(
        token,
        project.SIMPLE_JWT["SIGNING_KEY"],
        algorithms=["HS256"],
        audience="devices-api",
        issuer="devices",
        options={"verify_exp": False, "verify_iat": False},
    )


def obtain(email="alice@example.org", password=PASSWORD, **more):
    return Device().post("/api/token", {"email": email, "password": password, **more})


# Obtain


def test_credentials_give_a_pair_and_its_session(alice):
    answer = obtain()
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "session_id"}
    assert answer["Cache-Control"] == "no-store"
    device = Device()
    device.hold(answer.json())
    assert device.is_in()
    assert str(DeviceSession.objects.get().pk) == answer.json()["session_id"]


@pytest.mark.parametrize("email", ["ALICE@example.org", "  alice@EXAMPLE.org "])
def test_the_case_of_an_address_does_not_matter(alice, email):
    assert obtain(email).status_code == 200


def test_wrong_credentials_are_refused(alice):
    answer = obtain(password="wrong")
    assert refusal(answer) == (401, "no_active_account")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert not DeviceSession.objects.exists()


def test_9_2_3_a_token_claims_all_it_needs_and_nothing_more(alice, clock):
    pair = obtain().json()
    access, refresh = claims(pair["access"]), claims(pair["refresh"])
    expected = {
        "user_id": str(alice.pk),
        "session_id": pair["session_id"],
        "generation": 0,
        "iss": "devices",
        "aud": "devices-api",
    }
    assert {key: access[key] for key in expected} == expected
    assert {key: refresh[key] for key in expected} == expected
    assert set(access) == set(refresh) == {*expected, "token_type", "jti", "iat", "exp"}
    assert (access["token_type"], refresh["token_type"]) == ("access", "refresh")
    assert access["exp"] - access["iat"] == 5 * 60
    assert refresh["exp"] - refresh["iat"] == 30 * 24 * 3600
    assert access["jti"] != refresh["jti"]


def test_7_2_2_two_logins_have_nothing_in_common(alice):
    one, two = obtain().json(), obtain().json()
    assert all(one[key] != two[key] for key in one)
    for kind in ("access", "refresh"):
        assert claims(one[kind])["jti"] != claims(two[kind])["jti"]


def test_A37_a_login_adopts_no_session_it_is_told_of(alice, sign_in):
    phone = sign_in(alice)
    answer = phone.post(
        f"/api/token?session_id={phone.session_id}",
        {"email": alice.email, "password": PASSWORD, "session_id": phone.session_id, "id": 1},
        HTTP_COOKIE=f"session_id={phone.session_id}; sessionid={phone.session_id}",
    )
    assert answer.json()["session_id"] != phone.session_id
    assert DeviceSession.objects.count() == 2


def test_DJ6_a_stale_token_does_not_stand_in_the_way_of_a_login(alice, sign_in):
    phone = sign_in(alice)
    phone.post("/api/logout")
    credentials = {"email": alice.email, "password": PASSWORD}
    for path in ("/api/token", "/api/login"):
        for header in (f"Bearer {phone.access}", "Bearer junk", "\xff"):
            answer = Device().post(path, credentials, HTTP_AUTHORIZATION=header)
            assert answer.status_code == 200


# Refresh


def test_a_refresh_gives_the_next_pair(alice, sign_in, clock):
    phone = sign_in(alice)
    clock.shift(61)
    answer = phone.refresh()
    assert (answer.status_code, set(answer.json())) == (200, {"access", "refresh"})
    assert answer["Cache-Control"] == "no-store"
    old, new = claims(phone.refresh_token), claims(answer.json()["refresh"])
    assert (new["generation"], new["iat"] - old["iat"], new["exp"] - old["exp"]) == (1, 61, 61)
    assert new["jti"] != old["jti"]
    assert new["session_id"] == old["session_id"] == phone.session_id
    assert DeviceSession.objects.count() == 1


def test_DS7_reuse_expiry_and_the_rest_are_told_apart(alice, sign_in, clock):
    replayed, expired, revoked = (sign_in(alice) for _ in range(3))
    first = replayed.refresh_token
    replayed.rotate().rotate()
    assert refusal(replayed.refresh(first)) == (401, "refresh_reused")
    assert refusal(replayed.refresh()) == (401, "session_revoked")
    revoked.post("/api/logout")
    assert refusal(revoked.refresh()) == (401, "session_revoked")
    assert refusal(expired.refresh("junk")) == (401, "token_not_valid")
    clock.shift(30 * 24 * 3600)
    # Within the leeway the token itself may still pass, but the row is exact.
    assert refusal(expired.refresh()) == (401, "session_expired")
    clock.shift(6)
    assert refusal(expired.refresh()) == (401, "token_not_valid")


@pytest.mark.parametrize("token", GARBAGE)
def test_what_is_no_refresh_token_refreshes_nothing(db, token):
    answer = Device().refresh(token)
    assert refusal(answer) == (401, "token_not_valid")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


# Verify


def test_a_token_is_valid_while_its_session_lives(alice, sign_in):
    phone = sign_in(alice)
    for token in (phone.access, phone.refresh_token):
        answer = phone.post("/api/token/verify", {"token": token})
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer["Cache-Control"] == "no-store"


def test_verifying_is_no_activity(alice, sign_in, clock):
    phone = sign_in(alice)
    before = DeviceSession.objects.values().get()
    clock.shift(200)
    phone.post("/api/token/verify", {"token": phone.access})
    assert DeviceSession.objects.values().get() == before


def test_S10_of_a_token_that_is_not_valid_nothing_is_told(alice, mallory, sign_in, clock):
    gone, revoked, expired = sign_in(mallory), sign_in(alice), sign_in(alice)
    mallory.delete()
    revoked.post("/api/logout")
    clock.shift(30 * 24 * 3600)
    tokens = [gone.refresh_token, revoked.refresh_token, expired.refresh_token, *GARBAGE]
    answers = [Device().post("/api/token/verify", {"token": token}) for token in tokens]
    assert {answer.content for answer in answers} == {
        b'{"detail":"Token is invalid or expired.","code":"token_not_valid"}'
    }
    assert {refusal(answer) for answer in answers} == {(401, "token_not_valid")}


# Blacklist


def test_blacklisting_ends_the_session_at_once(alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    answer = Device().post("/api/token/blacklist", {"refresh": phone.refresh_token})
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer["Cache-Control"] == "no-store"
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert refusal(phone.refresh()) == (401, "session_revoked")
    assert DeviceSession.objects.get(pk=phone.session_id).revoke_reason == "logout"
    assert laptop.is_in()


def test_S09_blacklisting_answers_the_same_to_any_token(alice, mallory, sign_in, clock):
    gone, phone, expired = sign_in(mallory), sign_in(alice), sign_in(alice)
    mallory.delete()
    phone.post("/api/token/blacklist", {"refresh": phone.refresh_token})
    clock.shift(30 * 24 * 3600)
    before = list(DeviceSession.objects.order_by("pk").values())
    tokens = [gone.refresh_token, phone.refresh_token, expired.refresh_token, phone.access]
    for token in [*tokens, *GARBAGE]:
        answer = Device().post("/api/token/blacklist", {"refresh": token})
        assert (answer.status_code, answer.content) == (200, b"{}")
    assert list(DeviceSession.objects.order_by("pk").values()) == before


def test_an_access_token_blacklists_nothing(alice, sign_in):
    phone = sign_in(alice)
    assert phone.post("/api/token/blacklist", {"refresh": phone.access}).status_code == 200
    assert phone.is_in()
