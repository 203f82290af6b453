"""The header that carries a token: any bytes in it are at most refused; no copy of a revoked token lives."""

import json

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Device, refusal
from tests.test_forged_tokens import assert_worthless, bearing


def copies(token):
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = last.index(token[-1])
    pads = [token[:-1] + last[place ^ bits] for bits in (1, 2, 3)]
    return [token, *pads, token + "=", token + "==", token + "===", token.replace(".", "=.")]


def test_A09_SJ8_no_copy_of_a_revoked_token_lives(alice, sign_in):
    phone = sign_in(alice)
    phone.post("/api/logout")
    for copy in copies(phone.access):
        for scheme in (
            "Bearer ",
            "Bearer  ",
            "bearer ",
            "BEARER ",
            " Bearer ",
            "Bearer\t",
            "JWT ",
            "",
        ):
            assert bearing(copy, scheme).status_code == 401
            assert bearing(copy + " ", scheme).status_code == 401
    for copy in copies(phone.refresh_token):
        for spaced in (copy, f" {copy}", f"{copy}\n"):
            assert Device().refresh(spaced).status_code == 401
            assert Device().post("/api/token/verify", {"token": spaced}).status_code == 401


AUTHORIZATIONS = {
    "empty": "",
    "a blank": " ",
    "the scheme alone": "Bearer",
    "the scheme and a blank": "Bearer ",
    "two tokens": "Bearer a b",
    "a comma": "Bearer a, Bearer b",
    "no utf-8": "\xff",
    "no utf-8 after the scheme": "Bearer \xff\xfe",
    "a scheme that is no utf-8": "\xff\xfe x",
    "latin-1": "Bearer é.é.é",
    "NUL": "Bearer \0",
    "NUL before": "\0Bearer x",
    "control characters": "Bearer \x01\x1b[2J\x7f",
    "8 kB": "Bearer " + "x" * 8192,
    "8 kB of dots": "Bearer " + "." * 8192,
    "8 kB of schemes": "Bearer " * 1170,
    "100 kB": "Bearer " + "x" * 100_000,
    "dots": "Bearer ..",
    "many dots": "Bearer a.b.c.d.e",
    "Basic": "Basic YWxpY2VAZXhhbXBsZS5vcmc6eA==",
    "Basic that is none": "Basic \xff",
    "Digest": 'Digest username="alice"',
    "Token": "Token x",
    "JWT": "JWT x",
    "lower case": "bearer x",
    "a colon": "Bearer: x",
    "quotes": 'Bearer "x"',
    "null": "Bearer null",
    "undefined": "Bearer undefined",
    "SQL": "Bearer ' OR 1=1 --",
}


@pytest.mark.parametrize("header", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_DS1_KX2_a_header_of_any_bytes_is_at_most_refused(db, header):
    for method, path in (
        ("get", "/api/me"),
        ("post", "/api/sessions/revoke-all"),
        ("post", "/api/logout"),
    ):
        answer = getattr(Device(), method)(path, HTTP_AUTHORIZATION=header)
        status, code = refusal(answer)
        assert status == 401
        assert code in ("not_authenticated", "bad_authorization_header", "token_not_valid")
        # RFC 6750 §3.1: who sent a bearer token hears that it is not good.
        is_token = header.split(" ")[0].lower() == "bearer"
        why = ', error="invalid_token"' if is_token else ""
        assert answer["WWW-Authenticate"] == f'Bearer realm="api"{why}'


@given(
    st.binary(max_size=200),
    st.sampled_from(["", "Bearer ", "Bearer a.", "Bearer eyJhbGciOiJIUzI1NiJ9."]),
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_DS1_any_bytes_at_all_are_at_most_refused(db, garbage, prefix):
    answer = Device().get("/api/me", HTTP_AUTHORIZATION=prefix + garbage.decode("latin-1"))
    assert refusal(answer)[0] == 401


@given(st.text(max_size=200))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_at_all_is_at_most_refused_as_a_token(db, garbage):
    for path, field in (("refresh", "refresh"), ("verify", "token")):
        answer = Device().generic(
            "POST",
            f"/api/token/{path}",
            json.dumps({field: garbage}),
            content_type="application/json",
        )
        assert answer.status_code in (400, 401)


def test_a_long_token_is_not_even_decoded(db, monkeypatch):
    def unread(*args, **kwargs):
        raise AssertionError("the token was decoded")

    monkeypatch.setattr(jwt, "decode", unread)
    for token in ("x" * 8193, "a.b." + "c" * 200_000):
        assert_worthless(token)
