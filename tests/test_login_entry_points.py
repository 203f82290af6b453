"""Every door there is: which of the site's paths sign somebody in, and that each makes exactly one session.

The paths come from the URLs themselves. One that is new and lets somebody in without being listed here fails.
"""

import re
from itertools import count

import pytest
from django import urls
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts import allauth_views
from accounts.models import User
from devices.models import DeviceSession, RevokeReason
from project import urls as site
from tests import authenticator, oidc
from tests.client import CHROME, PASSWORD
from tests.dbsc import BoundBrowser

APP = "/_allauth/app/v1"

# By an email address and a password, of an account that exists.
BY_PASSWORD = {
    "/accounts/login/",
    f"{APP}/auth/login",
    "/api/login",
    "/api/token",
}
# By making an account.
BY_REGISTERING = {"/accounts/signup/", f"{APP}/auth/signup", "/api/register"}
# In steps, each with a story below.
IN_STEPS = {
    "/accounts/2fa/authenticate/",
    # Where the site lets people trust a device: tests/test_trusted_devices.py.
    "/accounts/2fa/trust/",
    f"{APP}/auth/2fa/authenticate",
    "/accounts/oidc/{}/login/callback/",
    f"{APP}/auth/provider/token",
}
# As those, with somebody else at the other end, or with a key of a browser's (tests/test_journeys.py).
ALIKE = {
    "/accounts/google/login/callback/",
    "/accounts/google/login/token/",
    "/accounts/github/login/callback/",
    # With an address that the other site did not tell.
    "/accounts/3rdparty/signup/",
    f"{APP}/auth/provider/signup",
    "/accounts/2fa/webauthn/login/",
    f"{APP}/auth/webauthn/login",
    f"{APP}/auth/webauthn/authenticate",
}
# Of allauth's, whose doors have steps. These begin, go on or end what others let in, or prove something of
# who is in already.
NO_DOOR = re.compile(
    r"/accounts/(logout|inactive|reauthenticate(/code(/confirm)?)?|email|confirm-email(/{})?|sign-in-again|recover|3rdparty"
    r"|password/(change|set|reset|reset/key/done|reset/key/{}-{}|reset/done)|login/code/confirm"
    r"|2fa(/reauthenticate|/totp/\w+|/recovery-codes(/\w+)?"
    r"|/webauthn(/add|/reauthenticate|/keys/{}/\w+)?)?"
    r"|(3rdparty|social)/(login/\w+|connections)|social/signup|(google|github|oidc/{})/login)/"
    rf"|{APP}/(config|account/\w+(/[\w-]+)?|tokens/refresh"
    r"|auth/(session|reauthenticate(/code/(request|confirm|resend))?|code/confirm|password/\w+|(email|phone)/verify(/resend)?"
    r"|provider/redirect|(2fa|webauthn)/reauthenticate))"
)


def paths(patterns=None, prefix="/"):
    """Every path, with {} for what is variable in it."""
    for pattern in patterns or get_resolver().url_patterns:
        part = re.sub(r"\(\?P<\w+>[^()]*\)|<[\w:]+>", "{}", str(pattern.pattern))
        path = prefix + re.sub(r"^\^|/\?\$?$|\$$|\\Z$", "", part)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, path)
        else:
            yield path


def test_every_path_of_allauth_s_is_known_as_an_entry_point_or_as_none():
    there = set(paths())
    let_in = BY_PASSWORD | BY_REGISTERING | IN_STEPS | ALIKE
    assert let_in <= there, let_in - there
    theirs = {path for path in there if path.startswith(("/accounts/", "/_allauth/"))}
    unknown = {path for path in theirs - let_in if not NO_DOOR.fullmatch(path)}
    assert not unknown


# The site's, with two views that a later release of allauth may bring.
MAGIC = urls.path("app/v1/auth/magic", lambda request: HttpResponse("in"), name="magic")
urlpatterns = [
    urls.path("accounts/login/magic/", lambda request: HttpResponse("in"), name="account_magic"),
    urls.path("_allauth/", urls.include(([MAGIC], "account"), namespace="headless:app:account")),
    *site.urlpatterns,
]


@pytest.mark.parametrize("door", ["/accounts/login/magic/", f"{APP}/auth/magic"])
@pytest.mark.urls(__name__)
def test_an_entry_point_that_nobody_has_looked_at_is_closed(client, caplog, door):
    assert client.get(door).status_code == 404
    assert "accounts.allauth_views" in caplog.text


def views(patterns=None, namespace="", route=""):
    """The name and the route of each view."""
    for pattern in patterns or get_resolver().url_patterns:
        here = f"{route}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from views(pattern.url_patterns, inner, here)
        else:
            yield f"{namespace}{pattern.name}", here


def test_the_views_below_allauth_s_paths_are_the_listed_ones():
    below = {name for name, route in views() if route.startswith(allauth_views.ROUTES)}
    # allauth's old paths, without names, which only redirect.
    assert below - {"None"} == allauth_views.PAGES | {
        f"headless:app:{name}" for name in allauth_views.APPS
    }


def fields(email, number):
    return {
        **dict.fromkeys(("email", "login", "username"), email),
        **dict.fromkeys(("password", "password1", "password2", "new_password"), PASSWORD),
        "uid": str(number),
        "token": "x",
        "key": "x",
        "code": "x",
    }


def sent(path, number, email):
    """A POST of all that an entry point may ask for, as a form or as JSON, by somebody new."""
    device = Client(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=f"203.0.113.{number % 250}")
    as_json = {} if number % 2 else {"content_type": "application/json"}
    return device.post(path.replace("{}", "1"), fields(email, number), **as_json)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
def test_V6_1_3_each_entry_point_makes_one_session_and_no_other_path_does(
    make_user, settings, is_known
):
    settings.ACCOUNT_RATE_LIMITS = False
    numbers = count()
    let_in = {}
    user = make_user("root@example.org", is_staff=True, is_superuser=True)
    for path in sorted(set(paths())):
        for _ in ("form", "json"):
            number = next(numbers)
            before = set(DeviceSession.objects.values_list("pk", flat=True))
            answer = sent(path, number, user.email if is_known else f"new{number}@example.org")
            assert answer.status_code < 500, path
            made = DeviceSession.objects.exclude(pk__in=before)
            if made:
                let_in.setdefault(path, []).append(made.count())
    assert set(let_in) == (BY_PASSWORD if is_known else BY_REGISTERING)
    assert all(set(made) == {1} for made in let_in.values()), let_in


# In steps


@pytest.fixture
def ada(db, loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    loopback.knows("ada", email="ada@example.org", email_verified=True)
    return loopback


def by_callback(provider):
    browser = Client()
    oidc.sign_in(browser, provider, "ada")
    return browser


def by_token(provider, app=None):
    token = {"client_id": oidc.CLIENT_ID, "id_token": provider.id_token("ada")}
    body = {"provider": "oidc", "process": "login", "token": token}
    app = app or Client()
    answer = app.post(f"{APP}/auth/provider/token", body, content_type="application/json")
    assert answer.status_code in (200, 401), answer.content
    return app, answer.json()["meta"]


def test_coming_back_from_a_provider_is_one_session(ada):
    for n in (1, 2):
        by_callback(ada)
        assert DeviceSession.objects.count() == n
    for n in (3, 4):
        by_token(ada)
        assert DeviceSession.objects.count() == n


def test_a_browser_that_comes_back_from_a_provider_is_the_device_it_was(ada):
    """allauth puts another object in the place of `request.session` there."""
    browser = BoundBrowser()
    assert "Secure-Session-Registration" in oidc.sign_in(browser, ada, "ada")
    first = DeviceSession.objects.get()
    del browser.cookies["__Host-sessionid"]
    oidc.sign_in(browser, ada, "ada")
    first.refresh_from_db()
    assert first.revoke_reason == RevokeReason.SUPERSEDED


def test_who_signs_in_by_a_provider_ends_the_session_of_whose_browser_it_was(ada, alice):
    browser = BoundBrowser()
    browser.sign_in(alice.email)
    oidc.sign_in(browser, ada, "ada")
    hers = DeviceSession.objects.get(user=alice)
    assert hers.revoke_reason == RevokeReason.LOGOUT


def test_an_app_that_signs_in_is_no_browser(ada):
    phone = BoundBrowser()
    phone.defaults["HTTP_X_DEVICE_ID"] = "7c0bd9c8-6d0a-4f4e-9b5e-0d2a3d5c8b11"
    by_token(ada, phone)
    first = DeviceSession.objects.get()
    phone.cookies.clear()
    by_token(ada, phone)
    first.refresh_from_db()
    assert first.revoke_reason == RevokeReason.SUPERSEDED


def test_V6_3_4_who_has_a_second_factor_is_asked_for_it_after_a_provider_too(ada):
    by_callback(ada)
    user = User.objects.get()
    phone = authenticator.enrol(user)
    DeviceSession.objects.all().delete()

    browser = by_callback(ada)
    assert not DeviceSession.objects.exists()
    assert browser.get("/devices/").status_code == 302
    browser.post("/accounts/2fa/authenticate/", {"code": phone.code()})
    session = DeviceSession.objects.get()
    assert (session.login_method, session.mfa_at) == ("oidc", session.created_at)
    assert browser.get("/devices/").status_code == 200

    app, meta = by_token(ada)
    assert DeviceSession.objects.count() == 1 and "access_token" not in meta
    step = app.post(
        f"{APP}/auth/2fa/authenticate",
        {"code": phone.recovery_codes[0]},
        content_type="application/json",
        headers={"X-Session-Token": meta["session_token"]},
    )
    assert step.status_code == 200, step.content
    session = DeviceSession.objects.get(pk=step.json()["meta"]["session_id"])
    assert (session.login_method, session.mfa_at) == ("oidc", session.created_at)
    assert DeviceSession.objects.count() == 2
    # The key of the time before is worth nothing any more.
    stale = app.get(f"{APP}/auth/session", headers={"X-Session-Token": meta["session_token"]})
    assert stale.status_code == 410


def test_V6_3_4_the_admin_s_own_form_lets_nobody_in_who_has_a_second_factor(make_user):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    authenticator.enrol(root)
    browser = Client()
    form = {"username": root.email, "password": PASSWORD}
    browser.post("/admin/login/?next=/admin/", form)
    assert browser.get("/admin/").status_code == 302
    assert not DeviceSession.objects.exists()
