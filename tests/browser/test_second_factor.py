"""Second factors in Chromium: an authenticator app from its enrolment to a login; a passkey, with a virtual
authenticator of the browser's own."""

import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator

from devices.models import DeviceSession
from tests.authenticator import App
from tests.client import PASSWORD


@pytest.fixture
def alice(alice):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


def next_code(app):
    """A code of a step of time that none was used of: the one that was shown to enrol is used up."""
    return app.code(steps=1)


def test_an_authenticator_app_from_its_enrolment_to_a_login(drive, alice):
    def journey(visit):
        me = visit().sign_in(alice.email, PASSWORD).go("/accounts/2fa/totp/activate/")
        app = App(me.page.locator("#authenticator_secret").input_value(), [])
        me.fill(code=app.code()).press("Activate", within="main")
        told = me.reads()
        me.go("/accounts/logout/").press("Sign Out", within="main")

        me.sign_in(alice.email, PASSWORD)
        before = [me.path, *(me.go(path).path for path in ("/devices/", "/accounts/email/"))]
        me.fill(code=next_code(app))
        me.press("Sign In", within="main")
        return told, before, me.path

    told, before, after = drive(journey)
    assert "activated" in told
    assert {path.split("?")[0] for path in before} == {"/accounts/2fa/authenticate/"}
    assert after == "/devices/"
    session = DeviceSession.objects.active().get()
    assert (session.login_method, session.mfa_at) == ("password", session.authenticated_at)
    kept = Authenticator.objects.get(user=alice, type="totp")
    assert time.time() - kept.last_used_at.timestamp() < 60


def add_authenticator(visitor):
    """A security key that knows its owner, as telephones have one."""
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def test_a_passkey_signs_in_alone_and_the_password_does_not_any_more(drive, alice):
    def journey(visit):
        me = visit().sign_in(alice.email, PASSWORD)
        add_authenticator(me)
        me.go("/accounts/2fa/webauthn/add/").fill(name="Phone")
        me.page.get_by_label("Passwordless").check()
        me.page.locator("#mfa_webauthn_add").click()
        me.page.wait_for_url("**/recovery-codes/**")
        me.go("/accounts/logout/").press("Sign Out", within="main")

        me.sign_in(alice.email, PASSWORD)
        by_password = me.path
        me.context.clear_cookies()
        me.go("/accounts/login/").press("Sign in with a passkey")
        me.page.wait_for_url("**/devices/")
        listed = me.reads()

        # And it confirms what a password cannot.
        me.go("/devices/confirm/").press("Confirm in another way")
        return by_password, listed, me.path.split("?")[0]

    by_password, listed, other_way = drive(journey)
    assert by_password == "/accounts/2fa/authenticate/"
    assert "Your devices" in listed
    assert other_way == "/accounts/2fa/reauthenticate/"
    session = DeviceSession.objects.active().get()
    assert session.login_method == "passkey"
    assert session.mfa_at == session.authenticated_at
