"""A browser proves its key again (DBSC): which proofs renew its cookie, and what it is told otherwise."""

from datetime import timedelta

import jwt
import pytest
import time_machine
from django.core.signing import TimestampSigner
from django.db import OperationalError
from django.utils import timezone

from devices.core import sessions
from devices.core.binding import dbsc
from devices.core.clients.client import Client
from devices.models import Activity, DeviceSession, RevokeReason
from tests.dbsc import CHALLENGE, BoundBrowser, bound_cookie, new_key, proof, public, reheaded


def failures():
    return list(Activity.objects.filter(kind="binding.failed").values_list("data", flat=True))


def test_the_cookie_is_renewed_without_any_cookie(browser):
    kept = {name: morsel.value for name, morsel in browser.cookies.items() if name != browser.bound}
    browser.cookies.clear()
    answer = browser.renew()
    assert answer.status_code == 200
    assert bound_cookie(answer) is not None
    # It opens nothing by itself.
    assert not browser.is_in()
    for name, value in kept.items():
        browser.cookies[name] = value
    assert browser.is_in()


def test_strings_in_the_headers_are_taken_with_quotes_and_without(browser):
    signed = browser.sign(browser.challenge())
    for quote in ('"', ""):
        answer = browser.post(
            browser.refresh_url,
            headers={
                "Sec-Secure-Session-Id": f"{quote}{browser.identifier}{quote}",
                "Secure-Session-Response": f"{quote}{signed}{quote}",
            },
        )
        # The second time it has been answered.
        assert answer.status_code == (200 if quote else 403)


WRONG_PROOFS = {
    "no JWS": lambda b, c: "proof",
    "not ASCII": lambda b, c: "é.é.é",
    "too long": lambda b, c: "a" * 9000,
    "typ of DPoP": lambda b, c: proof(b.key, c, typ="dpop+jwt"),
    "typ missing": lambda b, c: proof(b.key, c, typ="JWT"),
    "another key": lambda b, c: proof(new_key(), c),
    "another key, named in the header": lambda b, c: (lambda k: proof(k, c, jwk=public(k)))(
        new_key()
    ),
    "another kind of key": lambda b, c: proof(new_key("RS256"), c, algorithm="RS256"),
    "signature cut": lambda b, c: b.sign(c)[:-4],
    "signature missing": lambda b, c: b.sign(c).rsplit(".", 1)[0] + ".",
    "signature of another statement": lambda b, c: ".".join(
        [*b.sign(c).split(".")[:2], b.sign("other").split(".")[2]]
    ),
    "alg none": lambda b, c: reheaded(b.sign(c), alg="none", typ="dbsc+jwt"),
    "critical extension": lambda b, c: proof(b.key, c, crit=["exp"]),
    "challenge missing": lambda b, c: jwt.encode(
        {"nonce": c}, b.key, "ES256", headers={"typ": "dbsc+jwt"}
    ),
    "challenge is a list": lambda b, c: jwt.encode(
        {"aud": [c]}, b.key, "ES256", headers={"typ": "dbsc+jwt"}
    ),
}


@pytest.mark.parametrize("wrong", WRONG_PROOFS)
def test_a_wrong_proof_renews_nothing_and_is_told_to_the_owner(browser, wrong):
    browser.lose_cookie()
    challenge = browser.challenge()
    answer = browser.ask(WRONG_PROOFS[wrong](browser, challenge))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_proof")
    assert bound_cookie(answer) is None
    assert failures() == [{"binding": "dbsc", "reason": "wrong_proof"}]
    assert not browser.is_in()
    # The challenge is not used up by it.
    assert browser.ask(browser.sign(challenge)).status_code == 200


STALE = {
    "of nobody": lambda b, s: "challenge",
    "empty": lambda b, s: "",
    "of a registration": lambda b, s: dbsc.registration_challenge(s),
    "a bound cookie": lambda b, s: dbsc.cookie_of(s),
    "of an earlier renewal": lambda b, s: TimestampSigner(salt="devices.dbsc.challenge").sign(
        f"{s.pk.hex}.{s.binding_proofs - 1}"
    ),
    "of a later renewal": lambda b, s: TimestampSigner(salt="devices.dbsc.challenge").sign(
        f"{s.pk.hex}.{s.binding_proofs + 1}"
    ),
    "signed with another key": lambda b, s: TimestampSigner(
        key="x" * 40, salt="devices.dbsc.challenge"
    ).sign(f"{s.pk.hex}.{s.binding_proofs}"),
}


@pytest.mark.parametrize("stale", STALE)
def test_a_proof_for_a_wrong_challenge_is_asked_for_anew(browser, stale):
    signed = browser.sign(STALE[stale](browser, DeviceSession.objects.get()))
    answer = browser.ask(signed)
    assert answer.status_code == 403
    assert bound_cookie(answer) is None
    assert CHALLENGE.fullmatch(answer["Secure-Session-Challenge"])
    assert failures() == []


def test_a_challenge_is_answered_once(browser):
    signed = browser.sign(browser.challenge())
    assert browser.ask(signed).status_code == 200
    copied = browser.ask(signed)
    assert (copied.status_code, bound_cookie(copied) is not None) == (403, False)


def test_a_challenge_is_answered_within_a_minute(browser):
    signed = browser.sign(browser.challenge())
    with time_machine.travel(timezone.now() + dbsc.CHALLENGE_AGE + timedelta(seconds=2)):
        assert browser.ask(signed).status_code == 403


def test_the_challenge_of_another_session_is_none(browser, mallory):
    other = BoundBrowser("198.51.100.9").bind(mallory.email)
    other.renew()
    assert browser.ask(browser.sign(other.challenge())).status_code == 403
    # Nor is another's proof one, sent where that session is renewed.
    answer = browser.ask(other.sign(browser.challenge()))
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["", "another", "näme", 'a"b'])
def test_who_does_not_know_how_the_browser_calls_its_session_is_told_nothing(browser, name):
    browser.identifier = name
    answer = browser.ask()
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_after_a_change_of_the_secret_key_the_browser_goes_on_by_the_name_that_it_knows(
    browser, settings, alice
):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 8
    assert (
        CHALLENGE.fullmatch(browser.ask()["Secure-Session-Challenge"])["id"] == browser.identifier
    )
    answer = browser.renew()
    assert (answer.status_code, answer.json()["session_identifier"]) == (200, browser.identifier)
    assert browser.is_in()
    browser.lose_cookie()
    said = f'unreachable;session_identifier="{browser.identifier}"'
    assert browser.get("/devices/", headers={"Secure-Session-Skipped": said}).status_code == 302
    assert failures() == []
    # A later login has a name under the new key.
    later = BoundBrowser("198.51.100.9").bind(alice.email)
    settings.SECRET_KEY_FALLBACKS = []
    assert later.renew().status_code == 200
    assert browser.ask().status_code == 400


@pytest.mark.parametrize("form", ["{}", '"{}"', '"{}";of="tomorrow"', "{};of=tomorrow"])
def test_headers_are_taken_with_quotes_and_without_and_whatever_parameters_they_have(browser, form):
    headers = {
        "Sec-Secure-Session-Id": form.format(browser.identifier),
        "Secure-Session-Response": form.format(browser.sign(browser.challenge())),
    }
    assert browser.post(browser.refresh_url, headers=headers).status_code == 200


def test_only_post_is_answered(browser):
    for path in ("/devices/bind/", browser.refresh_url):
        assert browser.get(path).status_code == 405


ENDS = {
    "revoked": lambda s: sessions.revoke(s, reason=RevokeReason.USER),
    "signed out": sessions.logout,
    "deleted": lambda s: s.delete(),
    "expired": lambda s: DeviceSession.objects.filter(pk=s.pk).update(expires_at=timezone.now()),
    "deactivated": lambda s: (
        type(s.user)._default_manager.filter(pk=s.user_id).update(is_active=False)
    ),
    "unbound": lambda s: sessions.unbind(s, Client(), "key_lost"),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_browser_is_told_that_a_session_is_over(browser, end):
    signed = browser.sign(browser.challenge())
    ENDS[end](DeviceSession.objects.get())
    for answer in (browser.ask(), browser.ask(signed)):
        assert answer.status_code == 200
        assert answer.json() == {"session_identifier": browser.identifier, "continue": False}


def test_a_failing_database_leaves_the_key_with_the_browser(browser, monkeypatch):
    """403 and 429 make Chromium forget it, 5xx does not."""

    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(sessions, "find_bound", away)
    browser.raise_request_exception = False
    assert browser.ask().status_code >= 500
