"""Who registers somebody else's address, and waits for its owner, keeps no way in (pre-hijacking)."""

import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client as Browser

from accounts.models import User
from devices.core.notifications import outbox
from devices.models import DeviceSession, LoginHistory
from tests import oidc
from tests.authenticator import enrol
from tests.client import PASSWORD, Device, refusal

APP = "/_allauth/app/v1"
VICTIM, OWN = "victim@example.org", "stranger@example.org"
NEW = "another horse 9 battery"


@pytest.fixture
def link(django_capture_on_commit_callbacks):
    """link(act): where the link in the mail that `act` sends leads to."""

    def link(act):
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act()
        outbox.send_due()
        body = "".join(message.body for message in mail.outbox if message.to == [VICTIM])
        return re.search(r"https://devices\.test(/\S+)", body)[1]

    return link


@pytest.fixture(params=["API", "page", "app"])
def stranger(request, db, link):
    """Somebody who has registered the victim's address, and is in; and the link of the victim's mail."""
    stranger = Device()

    def register():
        body = {"email": VICTIM, "password": PASSWORD}
        if request.param == "API":
            stranger.hold(stranger.post("/api/register", body).json())
        elif request.param == "app":
            stranger.hold(stranger.post(f"{APP}/auth/signup", body).json()["meta"])
        else:
            Browser().post("/accounts/signup/", {"email": VICTIM, "password1": PASSWORD})
            stranger.sign_in(VICTIM)

    stranger.link = link(register)
    stranger.page = Browser()
    stranger.page.post("/accounts/login/", {"login": VICTIM, "password": PASSWORD})
    assert stranger.is_in() and stranger.page.get("/devices/").status_code == 200
    return stranger


def prepare():
    """All that could be there, by whatever way it came."""
    user = User.objects.get()
    EmailAddress.objects.create(user=user, email=OWN)
    SocialAccount.objects.create(user=user, provider="oidc", uid="stranger")
    enrol(user)


def assert_nothing_is_left():
    assert [each.email for each in EmailAddress.objects.all()] == [VICTIM]
    assert EmailAddress.objects.get().verified and EmailAddress.objects.get().primary
    assert not SocialAccount.objects.exists() and not Authenticator.objects.exists()
    assert not DeviceSession.objects.active().exists()
    assert set(DeviceSession.objects.values_list("revoke_reason", flat=True)) == {"not_me"}
    assert not LoginHistory.objects.exists()
    assert Device().post("/api/login", {"email": VICTIM, "password": PASSWORD}).status_code == 401


def choose_password(browser, path):
    form = browser.get(path, follow=True)
    where = form.redirect_chain[-1][0]
    answer = browser.post(where, {"password1": NEW, "password2": NEW})
    assert answer.status_code == 302, answer.content


def test_pre_hijacking_the_link_drops_what_a_stranger_made(stranger):
    prepare()
    victim = Browser()
    assert victim.get(stranger.link).status_code == 200
    answer = victim.post(stranger.link)
    assert_nothing_is_left()
    assert not stranger.is_in() and stranger.refresh().status_code == 401
    assert stranger.page.get("/devices/").status_code == 302
    # The victim chooses a password at once.
    assert answer["Location"].startswith("/accounts/password/reset/key/")
    choose_password(victim, answer["Location"])
    assert Device().sign_in(VICTIM, NEW).is_in()


def test_pre_hijacking_a_reset_drops_what_a_stranger_made(stranger, link):
    prepare()
    victim = Browser()
    where = link(lambda: victim.post("/accounts/password/reset/", {"email": VICTIM}))
    choose_password(victim, where)
    assert_nothing_is_left()
    assert not stranger.is_in() and stranger.page.get("/devices/").status_code == 302
    assert Device().sign_in(VICTIM, NEW).is_in()
    # The stranger's own address opens nothing, and the link to prove it is gone with its row.
    mail.outbox.clear()
    Browser().post("/accounts/password/reset/", {"email": OWN})
    assert "/password/reset/key/" not in "".join(message.body for message in mail.outbox)


def test_pre_hijacking_an_app_that_gives_the_key_drops_it_too(stranger):
    prepare()
    key = stranger.link.rstrip("/").rpartition("/")[2]
    Device().post(f"{APP}/auth/email/verify", {"key": key})
    assert_nothing_is_left()


@pytest.mark.parametrize("how", ["password", "browser", "app"])
def test_who_registered_keeps_everything(stranger, how):
    """Here the stranger is the owner: they prove it by the password, or where they are signed in."""
    key = stranger.link.rstrip("/").rpartition("/")[2]
    if how == "password":
        Browser().post(stranger.link, {"password": PASSWORD})
    elif how == "browser":
        stranger.page.post(stranger.link)
    else:
        assert stranger.post(f"{APP}/auth/email/verify", {"key": key}).status_code == 200
    assert EmailAddress.objects.get().verified
    assert stranger.is_in() and stranger.page.get("/devices/").status_code == 200
    assert User.objects.get().check_password(PASSWORD)


def test_pre_hijacking_a_wrong_password_keeps_nothing(stranger):
    Browser().post(stranger.link, {"password": "wrong"})
    assert_nothing_is_left()


def test_pre_hijacking_the_password_of_who_registered_does_not_become_valid(db, settings, link):
    settings.REQUIRE_EMAIL_VERIFICATION = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    body = {"email": VICTIM, "password": PASSWORD}
    where = link(lambda: Device().post("/api/register", body))
    Browser().post(where)
    assert refusal(Device().post("/api/login", body)) == (401, "no_active_account")


def test_a_second_proof_drops_nothing(stranger, link):
    Browser().post(stranger.link, {"password": PASSWORD})
    user = User.objects.get()
    EmailAddress.objects.create(user=user, email=OWN, verified=True)
    factor = enrol(user)
    victim = Browser()
    where = link(lambda: victim.post("/accounts/password/reset/", {"email": VICTIM}))
    choose_password(victim, where)
    assert EmailAddress.objects.count() == 2 and Authenticator.objects.exists()
    answer = Device().post("/api/login", {"email": VICTIM, "password": NEW})
    assert refusal(answer) == (401, "otp_required")
    body = {"email": VICTIM, "password": NEW, "otp": factor.recovery_codes[0]}
    assert Device().post("/api/login", body).status_code == 200


def attachments(stranger, provider):
    sub = provider.knows("stranger", email=OWN, email_verified=True)
    token = {"client_id": oidc.CLIENT_ID, "id_token": provider.id_token(sub)}
    connect = {"provider": "oidc", "process": "connect", "token": token}

    def on_page():
        away = stranger.page.post("/accounts/oidc/oidc/login/?process=connect")
        return stranger.page.get(provider.consent(away["Location"], sub).partition("testserver")[2])

    pages = {"email": OWN, "action_add": ""}
    return {
        "address, page": lambda: stranger.page.post("/accounts/email/", pages),
        "address, app": lambda: stranger.post(f"{APP}/account/email", {"email": OWN}),
        "identity, page": on_page,
        "identity, app": lambda: stranger.post(f"{APP}/auth/provider/token", connect),
        "codes, page": lambda: stranger.page.get("/accounts/2fa/totp/activate/"),
        "codes, app": lambda: stranger.get(f"{APP}/account/authenticators/totp"),
        "passkey, page": lambda: stranger.page.get("/accounts/2fa/webauthn/add/"),
        "passkey, app": lambda: stranger.get(f"{APP}/account/authenticators/webauthn"),
    }


def test_pre_hijacking_nothing_is_attached_before_the_address_is_proved(
    stranger, loopback, settings
):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    for name, attach in attachments(stranger, loopback).items():
        answer = attach()
        assert EmailAddress.objects.count() == 1, name
        assert not SocialAccount.objects.exists() and not Authenticator.objects.exists(), name
        if "page" in name:
            # allauth itself offers no factor while an address is unproved.
            assert answer["Location"] in ("/accounts/email/", "/accounts/2fa/"), name
        else:
            assert answer.status_code in (403, 409), (name, answer.json())
            code = answer.json().get("errors", [{}])[0].get("code")
            assert code in ("email_not_verified", "unverified_email"), (name, answer.json())


def test_an_address_that_is_only_claimed_resets_no_password(alice, mallory, link):
    """Mallory has added the victim's address to her own account, for its owner to fall into."""
    EmailAddress.objects.create(user=mallory, email=VICTIM)
    Browser().post("/accounts/password/reset/", {"email": VICTIM})
    assert "/password/reset/key/" not in "".join(message.body for message in mail.outbox)


def test_pre_hijacking_nobody_proves_their_address_for_a_strangers_account(alice, mallory):
    EmailAddress.objects.create(user=mallory, email=mallory.email, verified=True, primary=True)
    # A stranger adds an address of hers, and she follows the link in the mail.
    added = EmailAddress.objects.create(user=mallory, email="alice@work.example")
    key = EmailConfirmationHMAC(added).key
    where = f"/accounts/confirm-email/{key}/"
    victim = Browser()
    assert "Somebody added this address" in victim.get(where).content.decode()
    assert victim.post(where)["Location"] == where
    assert "Sign in to the account" in victim.get(where).content.decode()
    app = Device().sign_in(alice.email)
    answer = app.post(f"{APP}/auth/email/verify", {"key": key})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "sign_in_first"
    other = Browser()
    other.force_login(alice)
    other.post(where)
    added.refresh_from_db()
    assert not added.verified


@pytest.mark.parametrize("by", ["session", "password", "app"])
def test_an_address_is_added_by_who_is_in_the_account_or_knows_its_password(mallory, by):
    EmailAddress.objects.create(user=mallory, email=mallory.email, verified=True, primary=True)
    added = EmailAddress.objects.create(user=mallory, email="mallory@work.example")
    key = EmailConfirmationHMAC(added).key
    browser = Browser()
    if by == "session":
        browser.force_login(mallory)
    if by == "app":
        Device().sign_in(mallory.email).post(f"{APP}/auth/email/verify", {"key": key})
    else:
        form = {"password": PASSWORD} if by == "password" else {}
        browser.post(f"/accounts/confirm-email/{key}/", form)
    added.refresh_from_db()
    assert added.verified
