"""A token whose signature was found good is not calculated again; nothing else is taken for granted."""

import time
import uuid
from contextlib import suppress
from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings as project
from rest_framework_simplejwt import state

from devices.core import tokens
from devices.core.tokens import Claims
from devices.exceptions import TokenNotValid
from tests.ports import free_port


@pytest.fixture(autouse=True)
def checked(monkeypatch):
    checked = tokens.VerifiedTokenCache()
    monkeypatch.setattr(tokens, "_checked", checked)
    return checked


@pytest.fixture
def phone(alice, sign_in):
    return sign_in(alice)


@pytest.fixture
def calculated():
    """How often a signature was checked by arithmetic."""
    with mock.patch.object(tokens, "read_access", wraps=tokens.read_access) as read:
        yield lambda: read.call_count


def test_the_signature_of_a_token_is_checked_once(phone, calculated):
    assert all(phone.is_in() for _ in range(5))
    assert calculated() == 1
    assert tokens.recall_access(phone.access.encode()) == tokens.read_access(phone.access)


def test_A09_whose_token_is_known_is_still_asked_for_their_session(phone):
    assert phone.is_in()
    phone.post("/api/logout")
    assert phone.get("/api/me").json()["code"] == "session_revoked"


def test_9_1_1_what_was_not_checked_byte_by_byte_is_not_known(phone, checked):
    assert phone.is_in()
    good = phone.access.encode()
    for spelling in (good + b"A", good[:-1], good.swapcase(), good.rpartition(b".")[0], b""):
        with pytest.raises(TokenNotValid):
            tokens.recall_access(spelling)
    assert len(checked) == 1
    # PyJWT lets this one through from 2.15.1 on, but not because it was known.
    with suppress(TokenNotValid):
        tokens.recall_access(good + b"=")
        assert len(checked) == 2


def test_9_2_1_a_known_token_ends_when_it_says(clock, phone, calculated):
    assert phone.is_in()
    clock.shift(299)
    assert phone.is_in()
    assert calculated() == 1
    # From now on by arithmetic, which knows of a leeway.
    clock.shift(1)
    assert phone.is_in()
    clock.shift(5)
    assert not phone.is_in()
    assert calculated() == 3


def test_no_token_of_another_kind_and_no_refused_one_is_remembered(phone, checked):
    for raw in (phone.refresh_token.encode(), phone.access.encode()[::-1]):
        with pytest.raises(TokenNotValid):
            tokens.recall_access(raw)
    assert len(checked) == 0


def test_under_other_settings_all_is_checked_anew(phone, settings, calculated):
    assert phone.is_in()
    settings.SIMPLE_JWT = project.SIMPLE_JWT | {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=1)}
    assert phone.is_in()
    assert phone.is_in()
    assert calculated() == 2


def test_what_is_signed_by_keys_that_others_may_withdraw_is_not_remembered(
    phone, settings, checked, calculated
):
    settings.SIMPLE_JWT = project.SIMPLE_JWT | {"JWK_URL": "https://keys.example.org/"}
    assert phone.is_in() and phone.is_in()
    assert len(checked) == 0
    assert calculated() == 2


def test_while_the_keys_of_others_cannot_be_read_nobody_is_signed_out(phone, monkeypatch):
    # SimpleJWT refuses the token then, as if it were bad.
    away = f"http://127.0.0.1:{free_port()}/jwks.json"
    backend = tokens.KeyringBackend("ES256", jwk_url=away)
    monkeypatch.setattr(state, "token_backend", backend)
    for answer in (phone.get("/api/me"), phone.refresh()):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_A44_no_more_tokens_are_remembered_than_fit(phone, monkeypatch, checked, calculated):
    monkeypatch.setattr(tokens, "MAX_CHECKED", 3)
    assert phone.is_in()
    for _ in range(5):
        assert phone.rotate().is_in()
    assert len(checked) == 3
    assert calculated() == 6


def test_what_has_expired_is_not_kept():
    cache = tokens.VerifiedTokenCache()
    for number in range(20):
        expires = 0 if number < 10 else int(time.time()) + 300
        cache.put(b"%d" % number, Claims("1", uuid.uuid4(), 0, expires), None)
    assert len(cache) == 10
