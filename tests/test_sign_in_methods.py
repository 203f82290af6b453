"""Whichever way somebody comes in: each is one session, in one list, and out when it ends."""

import json
import time
from contextlib import ExitStack
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from oidc_provider_mock._storage import AuthorizationCode

from accounts.models import User
from devices.contrib.allauth import AppSession
from devices.core import erasure, sessions
from devices.core.clients.client import Client as ByHand
from devices.models import DeviceSession, RevokeReason
from tests import oidc
from tests.client import CHROME, FIREFOX, IPHONE, PASSWORD, Device, refusal
from tests.forge import signed
from tests.test_login_entry_points import paths

APP = "/_allauth/app/v1"


@pytest.fixture
def provider(loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    return loopback


@pytest.fixture
def over_http(live_server, settings):
    """The site's address, over plain HTTP, as on a developer's machine."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "sessionid", "csrftoken"
    settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http"
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def visit(over_http):
    """visit(agent): a browser that sees the site over HTTP."""
    with ExitStack() as stack:
        yield lambda agent: stack.enter_context(oidc.Visitor(over_http, agent))


def methods(user):
    active = DeviceSession.objects.filter(user=user).active()
    return sorted(active.values_list("login_method", flat=True))


class App(Device):
    """An app: what it gets by whichever door, it uses at all of them."""

    def post_app(self, path, body, **headers):
        return self.post(f"{APP}{path}", body, headers=headers)

    def sign_in_with(self, provider, sub, client_id=oidc.CLIENT_ID):
        token = {"client_id": oidc.CLIENT_ID, "id_token": provider.id_token(sub, client_id)}
        body = {"provider": "oidc", "process": "login", "token": token}
        return self.post_app("/auth/provider/token", body)

    def hold_those_of(self, answer):
        assert answer.status_code == 200, answer.json()
        meta = answer.json()["meta"]
        assert "session_token" not in meta
        self.hold(meta)
        return self

    def is_in_there(self):
        return self.get(f"{APP}/auth/session").status_code == 200


# Over HTTP, with a real provider


def test_browsers_and_apps_with_a_provider_and_with_a_password_are_one_list(provider, visit):
    ada = provider.knows("ada", email="ada@example.org", email_verified=True)
    firefox = visit(FIREFOX).sign_in(provider, ada)
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    # A new password is the end of what was signed in before.
    assert not firefox.is_in()
    firefox.sign_in(provider, ada)
    chrome = visit(CHROME)
    chrome.submit(chrome.get("/accounts/login/"), login=user.email, password=PASSWORD)
    phone = App(IPHONE)
    phone.hold_those_of(phone.sign_in_with(provider, ada))
    script = App("curl/8.5.0").sign_in(user.email)
    assert firefox.is_in() and chrome.is_in() and phone.is_in() and script.is_in()

    listed = phone.get("/api/sessions").json()
    assert {(row["device"], row["login_method"]) for row in listed} == {
        ("Firefox on Linux", "oidc"),
        ("Chrome on Windows", "password"),
        ("Safari on iOS", "oidc"),
        ("curl", "password"),
    }
    page = firefox.get("/devices/").text
    for row in listed:
        assert row["id"] in page or row["device"] == "Firefox on Linux"

    assert phone.post("/api/sessions/revoke-all").json() == {"revoked": 3}
    assert phone.is_in() and phone.is_in_there()
    assert not (firefox.is_in() or chrome.is_in() or script.is_in() or script.is_in_there())
    assert len(phone.get("/api/sessions").json()) == 1


def test_a_browser_signs_out_all_the_others(provider, visit):
    ada = provider.knows("ada", email="ada@example.org", email_verified=True)
    firefox, chrome = (visit(agent).sign_in(provider, ada) for agent in (FIREFOX, CHROME))
    phone, tablet = App(IPHONE), App("Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X)")
    for app in (phone, tablet):
        app.hold_those_of(app.sign_in_with(provider, ada))
    firefox.submit(firefox.get("/devices/sign-out-others/"))
    assert firefox.is_in()
    assert not (chrome.is_in() or phone.is_in() or tablet.is_in() or tablet.is_in_there())
    assert DeviceSession.objects.active().count() == 1


def test_what_is_revoked_is_out_and_may_come_again(provider, visit):
    ada = provider.knows("ada", email="ada@example.org", email_verified=True)
    firefox, phone = visit(FIREFOX).sign_in(provider, ada), App(IPHONE)
    phone.hold_those_of(phone.sign_in_with(provider, ada))
    [browsers] = [row for row in phone.get("/api/sessions").json() if not row["is_current"]]
    assert phone.delete(f"/api/sessions/{browsers['id']}").status_code == 204
    answer = firefox.get("/devices/")
    assert answer.status_code == 302 and not answer.cookies.get("sessionid")
    firefox.sign_in(provider, ada)
    firefox.submit(firefox.get(f"/devices/{phone.session_id}/sign-out/"))
    assert not (phone.is_in() or phone.is_in_there())
    assert refusal(phone.refresh()) == (401, "session_revoked")
    assert User.objects.count() == 1


# A provider that has kept somebody signed in: when it asked them last


@pytest.mark.parametrize("surface", ["page", "app"])
def test_a_sign_in_that_the_provider_asked_nobody_for_is_no_recent_proof(
    provider, db, monkeypatch, surface
):
    asked = int(time.time()) - 3600
    monkeypatch.setattr(AuthorizationCode, "get_auth_time", lambda code: asked)
    ada = provider.knows("ada", email="ada@example.org", email_verified=True)

    def sign_in():
        if surface == "page":
            browser = Client(HTTP_USER_AGENT=FIREFOX)
            oidc.sign_in(browser, provider, ada)
            return browser.get("/devices/sign-out-others/").status_code
        phone = App(IPHONE)
        phone.hold_those_of(phone.sign_in_with(provider, ada))
        return phone.post("/api/sessions/revoke-all").status_code

    assert sign_in() in (302, 401)
    session = DeviceSession.objects.active().get()
    assert session.authenticated_at.timestamp() == asked
    assert (timezone.now() - session.created_at).total_seconds() < 60
    # It has asked now, or it does not say when. A clock that is ahead makes nobody more recent.
    for said in (int(time.time()), None, int(time.time()) + 3600, "x", True, 10**30):
        monkeypatch.setattr(AuthorizationCode, "get_auth_time", lambda code, said=said: said)
        assert sign_in() == 200, said
        session = DeviceSession.objects.latest("created_at")
        assert session.authenticated_at <= session.created_at


def test_who_has_shown_a_second_factor_now_has_proved_it_now(alice):
    earlier = timezone.now() - timedelta(hours=1)
    for mfa in (False, True):
        session = sessions.start(alice, ByHand("192.0.2.1", "x"), mfa=mfa, authenticated_at=earlier)
        assert (session.authenticated_at == earlier) is not mfa


def test_who_is_to_sign_in_again_is_asked_by_the_provider(provider, db):
    ada = provider.knows("ada", email="ada@example.org", email_verified=True)
    browser = Client(HTTP_USER_AGENT=FIREFOX)
    login = "/accounts/oidc/oidc/login/?auth_params=max_age%3D99"
    assert "max_age=99" in browser.post(login)["Location"]
    oidc.sign_in(browser, provider, ada)
    assert browser.post("/accounts/sign-in-again/").status_code == 302
    away = browser.post(login)["Location"]
    assert "max_age=0" in away and "max_age=99" not in away
    # django-oauth-toolkit and allauth.idp.oidc know nothing of the one, and others need not send `auth_time`
    # for the other.
    assert "prompt=login&max_age=0" in browser.post("/accounts/oidc/oidc/login/")["Location"]
    # Once that is done, nobody is asked to connect an account.
    oidc.sign_in(browser, provider, ada)
    connect = browser.post("/accounts/oidc/oidc/login/?process=connect")["Location"]
    assert "client_id" in connect and "prompt" not in connect


# Linking: by addresses that both sides have seen proved


@pytest.fixture
def proved(alice):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


@pytest.fixture
def browser():
    return Client(HTTP_USER_AGENT=FIREFOX)


def test_an_address_that_both_have_seen_proved_links(proved, provider, browser):
    sub = provider.knows("alice", email="ALICE@example.org", email_verified=True)
    oidc.sign_in(browser, provider, sub)
    assert methods(proved) == ["oidc"]
    [account] = SocialAccount.objects.all()
    assert (account.user, account.provider, account.uid) == (proved, "oidc", "alice")
    proved.refresh_from_db()
    assert proved.check_password(PASSWORD)
    # From now on it is the provider's own name for her that counts.
    provider.knows("alice", email="alice@elsewhere.example", email_verified=False)
    other = Client(HTTP_USER_AGENT=CHROME)
    oidc.sign_in(other, provider, sub)
    assert methods(proved) == ["oidc", "oidc"]


NOT_PROVED = [False, None, "false", 0, 1, "", [True], {"verified": True}]


@pytest.mark.parametrize("verified", NOT_PROVED, ids=repr)
def test_an_address_that_the_provider_has_not_seen_proved_does_not(
    proved, provider, browser, verified
):
    """Whoever may enter any address at the provider would take over its owner's account."""
    sub = provider.knows("mallory", email=proved.email, email_verified=verified)
    answer = oidc.sign_in(browser, provider, sub)
    assert answer.status_code in (200, 302)
    assert SESSION_KEY not in browser.session
    assert not DeviceSession.objects.exists() and not SocialAccount.objects.exists()
    app = App(IPHONE)
    assert app.sign_in_with(provider, sub).status_code == 401
    assert not DeviceSession.objects.exists() and not SocialAccount.objects.exists()


def test_an_account_whose_address_nobody_proved_is_not_linked(alice, provider, browser):
    """Somebody may have made it, with a password of theirs, to wait for the owner of the address."""
    sub = provider.knows("alice", email=alice.email, email_verified=True)
    oidc.sign_in(browser, provider, sub)
    assert SESSION_KEY not in browser.session
    assert not SocialAccount.objects.exists() and not DeviceSession.objects.exists()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_an_address_that_is_one_s_own_but_not_proved_is_not_stolen_from_who_proves_it(
    make_user, alice, provider, browser
):
    """Mallory has added Alice's address to an account of her own."""
    mallory = make_user("mallory@example.org")
    EmailAddress.objects.create(user=mallory, email="victim@example.org", verified=False)
    sub = provider.knows("victim", email="victim@example.org", email_verified=True)
    oidc.sign_in(browser, provider, sub)
    assert methods(mallory) == []
    assert [account.user.email for account in SocialAccount.objects.all()] in (
        [],
        ["victim@example.org"],
    )


def test_nobody_new_gets_in_by_an_address_that_nobody_proved(db, provider, browser):
    sub = provider.knows("ada", email="ada@example.org", email_verified=False)
    oidc.sign_in(browser, provider, sub)
    assert SESSION_KEY not in browser.session
    assert not DeviceSession.objects.exists()


def test_an_account_that_is_deactivated_is_not_let_in(proved, provider, browser):
    sub = provider.knows("alice", email=proved.email, email_verified=True)
    oidc.sign_in(browser, provider, sub)
    User.objects.update(is_active=False)
    again, app = Client(), App(IPHONE)
    oidc.sign_in(again, provider, sub)
    assert app.sign_in_with(provider, sub).status_code == 401
    assert SESSION_KEY not in again.session
    assert DeviceSession.objects.count() == 1


def test_a_token_for_another_client_or_of_nobody_signs_nobody_in(proved, provider):
    sub = provider.knows("alice", email=proved.email, email_verified=True)
    app = App(IPHONE)
    assert app.sign_in_with(provider, sub, client_id="another").status_code == 400
    given = provider.id_token(sub)
    for token in (
        {"client_id": oidc.CLIENT_ID, "id_token": given[:-8] + "AAAAAAAA"},
        {"client_id": oidc.CLIENT_ID, "id_token": "x"},
        {"client_id": oidc.CLIENT_ID},
        {"client_id": "another", "id_token": given},
        {"id_token": given},
        "x",
        None,
    ):
        body = {"provider": "oidc", "process": "login", "token": token}
        answer = app.post_app("/auth/provider/token", body)
        assert answer.status_code == 400, (token, answer.json())
    assert not DeviceSession.objects.exists()


def test_a_state_that_is_another_browser_s_signs_nobody_in(proved, provider, browser):
    """Login CSRF: Mallory's way back, followed by Alice."""
    sub = provider.knows("mallory", email="mallory@example.org", email_verified=True)
    away = Client().post("/accounts/oidc/oidc/login/")
    back = provider.consent(away["Location"], sub)
    answer = browser.get(back.partition("testserver")[2])
    assert answer.status_code in (200, 401, 403)
    assert SESSION_KEY not in browser.session
    assert not DeviceSession.objects.exists()


def test_a_way_back_leads_in_once(proved, provider, browser):
    """Somebody at the same browser later, who finds it in the history of visited pages."""
    sub = provider.knows("alice", email=proved.email, email_verified=True)
    away = browser.post("/accounts/oidc/oidc/login/")
    back = provider.consent(away["Location"], sub).partition("testserver")[2]
    browser.get(back)
    assert SESSION_KEY in browser.session
    browser.post("/accounts/logout/")
    assert SESSION_KEY not in browser.session
    browser.get(back)
    assert SESSION_KEY not in browser.session
    assert methods(proved) == []


@pytest.mark.parametrize("end", ["sign-out", "revocation"])
def test_a_connection_that_one_user_began_is_not_made_for_the_next(
    proved, mallory, provider, browser, end
):
    browser.force_login(proved)
    away = browser.post("/accounts/oidc/oidc/login/?process=connect")
    sub = provider.knows("late", email="late@else.example", email_verified=True)
    back = provider.consent(away["Location"], sub).partition("testserver")[2]
    if end == "sign-out":
        browser.post("/accounts/logout/")
    else:
        sessions.revoke(DeviceSession.objects.get(user=proved), reason=RevokeReason.USER)
    browser.force_login(mallory)
    browser.get(back)
    assert browser.session[SESSION_KEY] == str(mallory.pk)
    assert not SocialAccount.objects.exists()


def test_V7_6_2_a_link_alone_leads_to_no_provider(db, provider, browser):
    page = browser.get("/accounts/oidc/oidc/login/")
    assert page.status_code == 200 and 'method="post"' in page.content.decode()
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/oidc/oidc/login/").status_code == 403


@pytest.mark.parametrize("path", ["google/login/", "github/login/", "oidc/oidc/login/"])
@pytest.mark.parametrize("way", ["", "callback/"])
def test_who_is_not_configured_is_not_offered(client, db, path, way):
    assert client.get(f"/accounts/{path}{way}").status_code == 404
    page = client.get("/accounts/login/").content.decode()
    assert "google" not in page.lower() and "oidc" not in page


def test_a_provider_that_is_away_is_told_and_lets_nobody_in(db, provider, browser, settings):
    settings.SOCIALACCOUNT_PROVIDERS = oidc.Provider("http://localhost:9").settings()
    answer = browser.post("/accounts/oidc/oidc/login/")
    assert answer.status_code < 500
    token = {"client_id": oidc.CLIENT_ID, "id_token": "x"}
    body = {"provider": "oidc", "process": "login", "token": token}
    assert App(IPHONE).post_app("/auth/provider/token", body).status_code == 400


# Apps


def test_an_app_that_signs_in_with_a_password_gets_the_tokens_of_the_api(alice):
    app = App(IPHONE)
    answer = app.post_app("/auth/login", {"email": alice.email, "password": PASSWORD})
    app.hold_those_of(answer)
    assert set(answer.json()["meta"]) == {
        "is_authenticated",
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "session_id",
    }
    assert app.is_in() and app.is_in_there()
    app.rotate()
    assert app.is_in() and app.is_in_there()
    session = DeviceSession.objects.get()
    assert (str(session.pk), session.login_method) == (app.session_id, "password")
    assert session.device == "Safari on iOS"


def test_its_refresh_token_is_good_at_allauth_s_endpoint_too(alice):
    app = App(IPHONE)
    app.hold_those_of(app.post_app("/auth/login", {"email": alice.email, "password": PASSWORD}))
    for _ in range(2):
        # The second time its answer was lost.
        answer = app.post_app("/tokens/refresh", {"refresh_token": app.refresh_token})
        assert answer.status_code == 200
    app.hold(
        {
            "access": answer.json()["data"]["access_token"],
            "refresh": answer.json()["data"]["refresh_token"],
        }
    )
    assert app.is_in() and app.is_in_there()
    for token in ("x", "", app.access):
        assert app.post_app("/tokens/refresh", {"refresh_token": token}).status_code == 400


def test_the_tokens_of_the_api_s_login_open_allauth_s_endpoints(alice, sign_in):
    app = App(IPHONE).sign_in(alice.email)
    assert app.is_in_there()
    # Nothing is remembered until there is something to remember.
    assert not Session.objects.exists()
    answer = app.post_app("/auth/reauthenticate", {"password": PASSWORD})
    assert answer.status_code == 200
    assert "session_token" not in answer.json()["meta"]
    [remembered] = Session.objects.all()
    assert remembered.session_key == AppSession(DeviceSession.objects.get()).session_key
    assert remembered.get_decoded()["device_session"] == app.session_id
    assert app.get(f"{APP}/auth/session").json()["data"]["user"]["email"] == alice.email


def test_what_is_remembered_of_an_app_outlives_the_secret_key(alice, settings):
    app = App(IPHONE).sign_in(alice.email)
    assert app.post_app("/auth/reauthenticate", {"password": PASSWORD}).status_code == 200
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the site, of no use elsewhere"
    for _ in range(2):
        said = app.get(f"{APP}/auth/session").json()
        assert [each["method"] for each in said["data"]["methods"]] == ["password"]
        [remembered] = Session.objects.all()
        assert remembered.session_key == AppSession(DeviceSession.objects.get()).session_key
        # It has moved.
        settings.SECRET_KEY_FALLBACKS = []


def test_signing_out_or_revoking_on_either_side_is_the_end_on_both(alice):
    for end in (
        lambda app: app.post("/api/logout"),
        lambda app: app.delete(f"{APP}/auth/session"),
        lambda app: sessions.revoke(
            DeviceSession.objects.get(pk=app.session_id), reason=RevokeReason.ADMIN
        ),
    ):
        app = App(IPHONE)
        app.hold_those_of(app.post_app("/auth/login", {"email": alice.email, "password": PASSWORD}))
        assert app.is_in() and app.is_in_there()
        end(app)
        assert not app.is_in() and not app.is_in_there()
        assert app.refresh().status_code == 401
        assert (
            app.post_app("/tokens/refresh", {"refresh_token": app.refresh_token}).status_code == 400
        )


def test_A18_a_password_changed_in_the_app_keeps_the_app_and_ends_the_rest(alice, sign_in):
    laptop, app = sign_in(alice), App(IPHONE)
    app.hold_those_of(app.post_app("/auth/login", {"email": alice.email, "password": PASSWORD}))
    passwords = {"current_password": PASSWORD, "new_password": "another horse 10"}
    answer = app.post_app("/account/password/change", passwords)
    assert answer.status_code == 200, answer.json()
    assert app.is_in() and app.is_in_there()
    assert not laptop.is_in()


def test_A37_the_key_of_a_signed_in_session_opens_nothing_at_the_endpoints_for_apps(alice):
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    key = browser.session.session_key
    app = App(IPHONE).sign_in(alice.email)
    app.post_app("/auth/reauthenticate", {"password": PASSWORD})
    keys = set(Session.objects.values_list("session_key", flat=True))
    assert key in keys and len(keys) == 2
    for each in keys:
        answer = App(CHROME).get(f"{APP}/auth/session", headers={"X-Session-Token": each})
        assert answer.status_code == 410
    for text in ("bearer", app.session_id, app.access):
        answer = App(CHROME).get(f"{APP}/auth/session", headers={"X-Session-Token": text})
        assert answer.status_code == 410


def test_A28_a_cookie_opens_nothing_at_the_endpoints_for_apps(alice):
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.get(f"{APP}/auth/session").status_code == 401
    form = {"current_password": PASSWORD, "new_password": "another horse 10"}
    answer = browser.post(f"{APP}/account/password/change", form, content_type="application/json")
    assert answer.status_code == 401
    browser.delete(f"{APP}/auth/session")
    assert browser.get("/devices/").status_code == 200


@pytest.mark.parametrize(
    "header", ["x", "Bearer", "Bearer x", "Bearer a b", "Bearer \xff", "Basic eA=="]
)
def test_a_bad_token_is_nobody_s(alice, header):
    answer = Device().get(f"{APP}/auth/session", headers={"Authorization": header})
    assert answer.status_code == 401
    app = App(IPHONE)
    credentials = {"email": alice.email, "password": PASSWORD}
    answer = app.post(f"{APP}/auth/login", credentials, headers={"Authorization": header})
    assert answer.status_code == 200


def test_A30_apps_have_no_more_attempts_than_others(alice, clock):
    for _ in range(10):
        credentials = {"email": alice.email, "password": "wrong"}
        assert App(ip="198.51.100.66").post_app("/auth/login", credentials).status_code == 400
    credentials["password"] = PASSWORD
    refused = App(ip="198.51.100.66").post_app("/auth/login", credentials)
    assert refused.status_code == 400
    assert [error["code"] for error in refused.json()["errors"]] == ["throttled"]


def test_A42_what_was_remembered_of_apps_goes_with_the_person(alice):
    app = App(IPHONE)
    app.hold_those_of(app.post_app("/auth/login", {"email": alice.email, "password": PASSWORD}))
    assert Session.objects.count() == 1
    assert erasure.erase(alice)["cookie sessions"] == 1
    assert not Session.objects.exists()
    assert not app.is_in_there()


# What may be sent


ODD = ["\x00", "\ud800", [], {"a": {}}, 2**70, {"client_id": "\x00", "id_token": "x"}]
HEADERS = {
    "none": {"alg": "none"},
    "another kind of key": {"alg": "HS256"},
    "another key": {"alg": "RS256", "kid": "x"},
    "no key": {"alg": "RS256", "kid": None},
    "no algorithm": {},
}


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_A43_nothing_that_is_sent_to_allauth_s_endpoints_is_an_error_of_ours(
    alice, provider, settings, odd
):
    settings.ACCOUNT_RATE_LIMITS = False
    names = ("email", "password", "username", "token", "code", "key", "phone", "name", "id")
    names += ("refresh_token", "credential", "new_password", "authenticators", "callback_url")
    body = {**dict.fromkeys(names, odd), "provider": "oidc", "process": "login"}
    stranger, member = App(IPHONE), App(IPHONE).sign_in(alice.email)
    for path in sorted(path for path in set(paths()) if path.startswith(APP)):
        for app in (stranger, member):
            for content in ({**body, "email": alice.email}, odd):
                answer = app.post(path, json.dumps(content), content_type="application/json")
                assert answer.status_code < 500, (path, content)
    assert member.is_in_there()


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_A04_a_token_that_says_how_it_is_to_be_checked_signs_nobody_in(db, provider, header):
    claims = {"iss": provider.url, "aud": oidc.CLIENT_ID, "sub": "x", "exp": 2**33}
    header = {"kid": provider.key_id(), **header}
    header = {name: value for name, value in header.items() if value is not None}
    forged = signed(claims, header, key="x" * 32)
    for token in (forged, forged.rpartition(".")[0] + "."):
        body = {"client_id": oidc.CLIENT_ID, "id_token": token}
        answer = App(IPHONE).post_app(
            "/auth/provider/token", {"provider": "oidc", "process": "login", "token": body}
        )
        assert answer.status_code == 400
    assert not DeviceSession.objects.exists()


def test_one_address_may_not_have_a_provider_asked_for_ever(db, provider):
    app = App(IPHONE)
    body = {"client_id": oidc.CLIENT_ID, "id_token": "x"}
    codes = []
    for _ in range(31):
        answer = app.post_app(
            "/auth/provider/token", {"provider": "oidc", "process": "login", "token": body}
        )
        codes.append(answer.json()["errors"][0]["code"])
    assert set(codes[:30]) == {"invalid_token"} and codes[30] == "throttled"
