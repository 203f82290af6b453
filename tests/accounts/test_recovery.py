"""Whoever had the account's address before takes the account back, by the link in the mail of the change.

The stranger here knows the password, sits in the owner's own country, and uses the kind of device that the
owner uses: nothing about them is unusual.
"""

import re
from datetime import timedelta

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.db.models.signals import pre_save
from django.test import Client as Browser

from accounts import first_proof, recovery
from accounts.adapters import AccountAdapter
from accounts.models import RecoveryPoint, User
from devices.core import sessions
from devices.core.notifications import outbox, review_links
from devices.models import Activity, DeviceSession, LoginHistory, NotificationPreferences
from tests import authenticator, oidc
from tests.client import CHROME, PASSWORD, Device

APP = "/_allauth/app/v1"
OWNER, THIEF, THIRD = "alice@example.org", "thief@example.org", "third@example.org"
NEW = "another horse 9 battery"
HOME, NEAR = "141.20.1.1", "141.20.1.2"


def links(to=OWNER):
    """The links in the mails that were sent to an address, in their order."""
    outbox.send_due()
    bodies = (message.body for message in mail.outbox if message.to == [to])
    return re.findall(r"https://devices\.test(/accounts/recover/\?\S+)", "\n".join(bodies))


def told(to):
    outbox.send_due()
    return [message.subject for message in mail.outbox if message.to == [to]]


def follow(link, **form):
    return Browser(REMOTE_ADDR=HOME).post(link, form)


def choose_password(answer, password=NEW):
    """As the page that the link leads to asks."""
    browser = Browser(REMOTE_ADDR=HOME)
    form = browser.get(answer["Location"], follow=True)
    where = form.redirect_chain[-1][0]
    assert browser.post(where, {"password1": password, "password2": password}).status_code == 302


@pytest.fixture(autouse=True)
def no_rates(settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "mailbox": None, "mail": None}


@pytest.fixture
def owner(alice, clock):
    EmailAddress.objects.create(user=alice, email=OWNER, verified=True, primary=True)
    Device(CHROME, HOME).sign_in(OWNER)
    clock.shift(timedelta(days=40))
    return alice


class Thief:
    """Signed in with the password, in an app and in a browser."""

    def __init__(self, email=OWNER, password=PASSWORD):
        self.app = Device(CHROME, NEAR).sign_in(email, password)
        self.page = Browser(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=NEAR)
        self.page.post("/accounts/login/", {"login": email, "password": password})
        assert not DeviceSession.objects.filter(reauth_required_since__isnull=False).exists()

    def add(self, email):
        assert self.app.post(f"{APP}/account/email", {"email": email}).status_code == 200
        self.prove(email)

    def prove(self, email):
        key = EmailConfirmationHMAC(EmailAddress.objects.get(email=email)).key
        return self.app.post(f"{APP}/auth/email/verify", {"key": key})

    def move(self, email, leave=""):
        self.add(email)
        body = {"email": email, "primary": True}
        assert self.app.patch(f"{APP}/account/email", body).status_code == 200
        if leave:
            assert self.app.delete(f"{APP}/account/email", {"email": leave}).status_code == 200

    def change_password(self, password="a password of thieves 7"):
        body = {"current_password": PASSWORD, "new_password": password}
        assert self.app.post("/api/me/password", body).status_code == 204
        return password

    def enrol(self):
        where = f"{APP}/account/authenticators/totp"
        secret = self.app.get(where).json()["meta"]["secret"]
        app = authenticator.App(secret, [])
        assert self.app.post(where, {"code": app.code()}).status_code == 200
        return app

    def connect(self, provider):
        sub = provider.knows("thief", email="t@else.example", email_verified=True)
        token = {"client_id": oidc.CLIENT_ID, "id_token": provider.id_token(sub)}
        body = {"provider": "oidc", "process": "connect", "token": token}
        return self.app.post(f"{APP}/auth/provider/token", body)


@pytest.fixture
def thief(owner):
    return Thief()


def assert_is_the_owners():
    user = User.objects.get(email=OWNER)
    address = EmailAddress.objects.get(user=user)
    assert (address.email, address.verified, address.primary) == (OWNER, True, True)
    assert not SocialAccount.objects.filter(user=user).exists()
    assert not Authenticator.objects.filter(user=user).exists()
    assert not user.has_usable_password()
    assert not DeviceSession.objects.filter(user=user).active().exists()
    assert not LoginHistory.objects.filter(user=user).exists()
    return user


def test_the_owner_takes_the_account_back_from_who_took_everything(
    thief, loopback, settings, clock
):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    thief.move(THIEF, leave=OWNER)
    assert thief.connect(loopback).status_code == 200
    thief.app.patch("/api/me/notifications", {"new_device": False})
    password = thief.change_password()
    thief.enrol()
    clock.shift(timedelta(days=6, hours=23))
    link = links()[-1]
    seen = Browser().get(link)
    text = seen.content.decode()
    assert "Take your account back?" in text and f"<bdi>{OWNER}</bdi>" in text
    assert THIEF not in text and seen.headers["Cache-Control"].count("no-store") == 1
    assert User.objects.get().email == THIEF, "looking changes nothing"
    mail.outbox.clear()
    answer = follow(link)
    assert_is_the_owners()
    assert not thief.app.is_in() and thief.page.get("/devices/").status_code == 302
    assert not NotificationPreferences.objects.exists()
    choose_password(answer)
    assert Device(CHROME, HOME).sign_in(OWNER, NEW).is_in()
    for name in (THIEF, OWNER):
        for secret in (PASSWORD, password):
            answer = Device(CHROME, NEAR).post("/api/login", {"email": name, "password": secret})
            assert answer.status_code == 401
    assert "was restored" in told(OWNER)[0] and "was restored" in told(THIEF)[0]


def test_it_is_logged(thief, security_lines, django_capture_on_commit_callbacks):
    thief.move(THIEF)
    with django_capture_on_commit_callbacks(execute=True):
        follow(links()[-1])
    events = [line["event"] for line in security_lines.events]
    assert "account.recovered" in events and "session.revoked" in events
    line = Activity.objects.get(kind="account.recovered")
    assert line.ip_address == HOME
    assert set(DeviceSession.objects.active().values_list("pk")) == set()
    reasons = set(DeviceSession.objects.values_list("revoke_reason", flat=True))
    assert "not_me" in reasons


@pytest.mark.parametrize("what", ["address", "identity", "factor"])
def test_each_sign_in_method_that_is_added_is_told_with_the_link(thief, what, loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    if what == "address":
        thief.add(THIEF)
    elif what == "identity":
        assert thief.connect(loopback).status_code == 200
    else:
        thief.enrol()
    (subject,) = told(OWNER)
    assert "A sign-in method was added" in subject
    (link,) = links()
    follow(link)
    assert_is_the_owners()


def test_it_works_once_and_does_no_harm_when_it_comes_again(thief):
    thief.move(THIEF)
    link = links()[-1]
    choose_password(follow(link))
    outbox.send_due()
    mail.outbox.clear()
    owner = Device(CHROME, HOME).sign_in(OWNER, NEW)
    for again in (*links(), link, link):
        answer = follow(again)
        assert answer.status_code == 200 and "has done its work" in answer.content.decode()
        assert Browser().get(again).status_code == 200
    assert owner.is_in() and User.objects.get().check_password(NEW)
    assert not any("was restored" in subject for subject in told(OWNER))


def test_it_works_for_seven_days(thief, clock):
    thief.move(THIEF)
    link = links()[-1]
    clock.shift(timedelta(days=7, seconds=1))
    assert Browser().get(link).status_code == 410
    assert follow(link).status_code == 410
    assert User.objects.get().email == THIEF


@pytest.mark.parametrize("token", ["", "x", "\x00", "ü", "x" * 9999, "0" * 32 + ":bad"])
def test_a_link_that_is_not_ours_does_nothing(thief, token):
    thief.move(THIEF)
    for answer in (
        Browser().get("/accounts/recover/", {"token": token}),
        follow("/accounts/recover/"),
    ):
        assert answer.status_code == 404
        assert "not one of ours" in answer.content.decode()


def test_a_link_about_a_session_takes_no_account_back(thief):
    thief.move(THIEF)
    token = review_links.token_of(DeviceSession.objects.latest("created_at").pk)
    assert follow(f"/accounts/recover/?token={token}").status_code == 404


def test_it_is_there_where_all_pages_ask_to_sign_in(thief, settings):
    thief.move(THIEF)
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, required]
    link = links()[-1]
    assert Browser().get(link).status_code == 200
    follow(link)
    assert_is_the_owners()


def test_it_works_in_a_browser_that_is_signed_in_there(thief):
    thief.move(THIEF)
    link = links()[-1]
    answer = thief.page.post(link)
    assert_is_the_owners()
    form = thief.page.get(answer["Location"], follow=True)
    thief.page.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert User.objects.get().check_password(NEW)


def test_it_asks_for_the_token_of_its_own_form(thief):
    thief.move(THIEF)
    stranger = Browser(enforce_csrf_checks=True)
    assert stranger.post(links()[-1]).status_code == 403
    assert User.objects.get().email == THIEF


def test_how_often_links_are_tried_is_limited(thief, settings):
    thief.move(THIEF)
    statuses = [follow("/accounts/recover/?token=x").status_code for _ in range(31)]
    assert set(statuses[:30]) == {404} and statuses[30] == 429
    assert Browser(REMOTE_ADDR=NEAR).get(links()[-1]).status_code == 200


# Chains of changes


def test_the_earliest_address_wins(thief, clock):
    thief.move(THIEF)
    clock.shift(1)
    thief.move(THIRD, leave=THIEF)
    to_thief, to_owner = links(THIEF)[-1], links()[0]
    follow(to_owner)
    user = assert_is_the_owners()
    # Nobody takes it from there by a later link.
    assert follow(to_thief).status_code == 410 and Browser().get(to_thief).status_code == 410
    user.refresh_from_db()
    assert user.email == OWNER


def test_the_earliest_address_wins_after_a_later_one_was_faster(thief, clock):
    thief.move(THIEF)
    clock.shift(1)
    thief.move(THIRD)
    follow(links(THIEF)[-1])
    assert User.objects.get().email == THIEF
    assert "was restored" in told(OWNER)[-1], "the owner is told of that, too"
    follow(links()[-1])
    assert_is_the_owners()
    assert follow(links(THIEF)[-1]).status_code == 410


def test_each_link_to_an_address_leads_to_before_the_first_change(thief, clock):
    """The last mail is as good as the first: what was added in between goes, too."""
    thief.add(THIRD)
    app = thief.enrol()
    clock.shift(60)
    assert thief.app.post("/api/sessions/current/confirm", {"otp": app.code()}).status_code == 200
    body = {"email": THIRD, "primary": True}
    assert thief.app.patch(f"{APP}/account/email", body).status_code == 200
    answer = follow(links()[-1])
    assert_is_the_owners()
    choose_password(answer)
    assert Device(CHROME, HOME).sign_in(OWNER, NEW).is_in()


def test_a_stranger_who_gives_the_address_back_for_a_while_gets_no_link(thief, clock):
    thief.move(THIEF)
    assert links(THIEF) == []
    body = {"email": OWNER, "primary": True}
    assert thief.app.patch(f"{APP}/account/email", body).status_code == 200
    assert links(THIEF) == []
    clock.shift(timedelta(days=6))
    assert RecoveryPoint.objects.filter(email=THIEF).count() == 0
    follow(links()[-1])
    assert_is_the_owners()


def test_who_moved_on_is_protected_at_the_new_address_alone(owner, clock):
    """The owner moves on; after seven days the former address opens nothing, and the new one does."""
    Thief().move("new@example.org", leave=OWNER)
    former = links()[-1]
    clock.shift(timedelta(days=8))
    mail.outbox.clear()
    Thief("new@example.org").move(THIEF, leave="new@example.org")
    assert links(OWNER) == []
    assert follow(former).status_code == 410
    follow(links("new@example.org")[-1])
    assert User.objects.get().email == "new@example.org"


def test_after_it_nothing_is_told_to_the_displaced_address(thief, clock):
    """Else the stranger would be asked whether the owner's sign-ins were theirs."""
    thief.move(THIEF)
    clock.shift(1)
    thief.move(THIRD)
    clock.shift(1)
    choose_password(follow(links()[-1]))
    outbox.send_due()
    mail.outbox.clear()
    clock.shift(1)
    owner = Device(CHROME, HOME).sign_in(OWNER, NEW)
    Device("Another/1.0", "196.25.1.1").post("/api/login", {"email": OWNER, "password": NEW})
    body = {"current_password": NEW, "new_password": PASSWORD}
    assert owner.post("/api/me/password", body).status_code == 204
    assert told(OWNER) and not told(THIEF) and not told(THIRD)


# Staff, and other accounts


def test_staff_have_the_last_word(thief, make_user):
    """The owner has lost that mailbox, and says so to staff: whoever reads it gets no way back."""
    make_user("staff@example.org", is_staff=True, is_superuser=True)
    thief.move(THIEF)
    link = links()[-1]
    user = User.objects.get(email=THIEF)
    staff = Browser()
    staff.post("/accounts/login/", {"login": "staff@example.org", "password": PASSWORD})
    day = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    form = {"email": "saved@example.org", "is_active": "on", **day}
    answer = staff.post(f"/admin/accounts/user/{user.pk}/change/", form)
    assert answer.status_code == 302, answer.content
    mail.outbox.clear()
    assert follow(link).status_code == 410
    assert links(OWNER) == links(THIEF) == links("saved@example.org") == []


def test_what_staff_add_leaves_no_way_back(owner, make_user):
    make_user("staff@example.org", is_staff=True, is_superuser=True)
    staff = Browser()
    staff.post("/accounts/login/", {"login": "staff@example.org", "password": PASSWORD})
    form = {"user": owner.pk, "email": THIRD, "verified": "on"}
    assert staff.post("/admin/account/emailaddress/add/", form).status_code == 302
    other = EmailAddress.objects.create(user=owner, email=THIEF)
    action = {"action": "make_verified", "_selected_action": [other.pk]}
    staff.post("/admin/account/emailaddress/", action)
    other.refresh_from_db()
    assert other.verified
    assert not RecoveryPoint.objects.exists() and links() == []
    assert all("Staff of" in subject for subject in told(OWNER)) and len(told(OWNER)) == 2


def test_an_account_that_was_deactivated_stays_so(thief):
    thief.move(THIEF)
    link = links()[-1]
    user = User.objects.get()
    user.is_active = False
    user.save()
    assert follow(link).status_code == 410


@pytest.mark.parametrize("door", ["/api/register", f"{APP}/auth/signup", "/accounts/signup/"])
def test_who_registers_the_address_meanwhile_is_not_in_the_way(thief, door):
    thief.move(THIEF, leave=OWNER)
    link = links()[-1]
    squatter = Browser() if door.startswith("/accounts") else Device()
    squatter.post(door, {"email": OWNER, "password": PASSWORD, "password1": PASSWORD})
    squat = User.objects.get(email=OWNER)
    assert follow(link).status_code == 302
    assert_is_the_owners()
    squat.refresh_from_db()
    assert not squat.is_active and squat.email.endswith(".invalid")
    assert not DeviceSession.objects.filter(user=squat).active().exists()
    body = {"email": OWNER, "password": PASSWORD}
    assert Device().post("/api/login", body).status_code == 401


def test_an_account_that_proved_the_address_meanwhile_keeps_it(thief):
    thief.move(THIEF, leave=OWNER)
    link = links()[-1]
    again = User.objects.create_user(OWNER, PASSWORD)
    EmailAddress.objects.create(user=again, email=OWNER, verified=True, primary=True)
    answer = follow(link)
    assert answer.status_code == 409 and "another account" in answer.content.decode()
    assert User.objects.get(pk=again.pk).email == OWNER
    again.email = "elsewhere@example.org"
    again.save()
    EmailAddress.objects.filter(user=again).update(email=again.email)
    assert follow(link).status_code == 302
    assert_is_the_owners()


def test_a_member_of_staff_loses_no_address_to_a_link(thief, make_user):
    thief.move(THIEF, leave=OWNER)
    make_user(OWNER, is_staff=True)
    assert follow(links()[-1]).status_code == 409
    assert User.objects.get(email=OWNER).is_active


def test_before_the_address_is_proved_there_is_no_way_back(alice):
    EmailAddress.objects.create(user=alice, email=THIRD, verified=True)
    SocialAccount.objects.create(user=alice, provider="oidc", uid="1")
    assert not RecoveryPoint.objects.exists()


# With a second factor


def test_a_factor_from_before_stays_and_is_asked_for(owner, clock):
    app = authenticator.enrol(owner)
    clock.shift(timedelta(days=8))
    EmailAddress.objects.create(user=owner, email=THIEF, verified=True, primary=False)
    link = links()[-1]
    assert 'name="code"' in Browser().get(link).content.decode()
    for code in ("", "000000"):
        assert follow(link, code=code).status_code == 400
        assert EmailAddress.objects.count() == 2
    answer = follow(link, code=app.recovery_codes[0])
    assert EmailAddress.objects.get().email == OWNER
    assert Authenticator.objects.filter(user=owner, type="totp").exists()
    choose_password(answer)
    body = {"email": OWNER, "password": NEW}
    assert Device(CHROME, HOME).post("/api/login", body).json()["code"] == "otp_required"


def test_codes_are_counted_as_everywhere(owner, clock):
    authenticator.enrol(owner)
    clock.shift(timedelta(days=8))
    EmailAddress.objects.create(user=owner, email=THIEF, verified=True)
    link = links()[-1]
    stranger = Browser(REMOTE_ADDR="192.0.2.9")
    statuses = [stranger.post(link, {"code": "000000"}).status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]


def test_a_factor_that_a_stranger_enrolled_takes_nothing_back(thief, clock):
    """Nor does it stand in the way: the stranger has enrolled it within the week."""
    app = thief.enrol()
    clock.shift(60)
    link = links()[-1]
    assert 'name="code"' not in Browser().get(link).content.decode()
    follow(link)
    assert_is_the_owners()
    assert app.code()


def test_a_factor_of_a_stranger_beside_the_owners_proves_nothing(owner, clock):
    """With a code of the owner's, once, the stranger has put a factor of theirs in its place."""
    authenticator.enrol(owner)
    passkey = Authenticator.objects.create(user=owner, type="webauthn", data={})
    clock.shift(timedelta(days=8))
    Authenticator.objects.filter(user=owner, type="totp").delete()
    unusual = authenticator.TOTP.activate(owner, authenticator.generate_totp_secret())
    link = links()[-1]
    clock.shift(60)
    secret = authenticator.get_adapter().decrypt(unusual.instance.data["secret"])
    code = authenticator.App(secret, []).code()
    assert follow(link, code=code).status_code == 400
    assert Authenticator.objects.filter(pk=passkey.pk).exists()


# What a stranger still holds when the owner takes the account back


def held_by(thief, loopback):
    """Doors that stood open: what each does afterwards."""
    user = User.objects.get()
    token = default_token_generator.make_token(user)
    reset = f"/accounts/password/reset/key/{user_pk_to_url_str(user)}-{token}/"
    pending = EmailAddress.objects.create(user=user, email="late@example.org")
    proof = EmailConfirmationHMAC(pending).key
    proved = EmailConfirmationHMAC(EmailAddress.objects.get(email=THIEF)).key
    away = thief.page.post("/accounts/oidc/oidc/login/?process=connect")["Location"]
    sub = loopback.knows("late", email="late@else.example", email_verified=True)
    back = loopback.consent(away, sub).partition("testserver")[2]
    ended = Device(CHROME, NEAR).sign_in(THIEF)
    ended.post("/api/logout")
    asked = review_links.token_of(
        ended.session_id and DeviceSession.objects.get(pk=ended.session_id).pk
    )
    half = Browser(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=NEAR)

    def by_reset():
        form = half.get(reset, follow=True)
        where = form.redirect_chain[-1][0] if form.redirect_chain else reset
        half.post(where, {"password1": "mine 4 ever and", "password2": "mine 4 ever and"})

    def by_proof():
        for key in (proof, proved):
            for browser in (half, thief.page):
                browser.post(f"/accounts/confirm-email/{key}/", {"password": PASSWORD})
            thief.app.post(f"{APP}/auth/email/verify", {"key": key})

    def by_app():
        thief.app.refresh()
        thief.app.patch(f"{APP}/account/email", {"email": THIEF, "primary": True})
        thief.app.post(f"{APP}/tokens/refresh", {"refresh_token": thief.app.refresh_token})

    return {
        "a link to a new password": by_reset,
        "links that prove addresses": by_proof,
        "a link to another site": lambda: thief.page.get(back),
        "tokens": by_app,
        "the question about an ended session": lambda: half.post(
            f"/devices/review/?token={asked}", {"answer": "yes"}
        ),
        "a reset to their address": lambda: half.post(
            "/accounts/password/reset/", {"email": THIEF}
        ),
    }


@pytest.mark.parametrize(
    "door",
    [
        "a link to a new password",
        "links that prove addresses",
        "a link to another site",
        "tokens",
        "the question about an ended session",
        "a reset to their address",
    ],
)
def test_what_a_stranger_still_holds_opens_nothing(thief, door, loopback, settings):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    thief.move(THIEF)
    doors = held_by(thief, loopback)
    follow(links()[-1])
    assert_is_the_owners()
    mail.outbox.clear()
    doors[door]()
    assert_is_the_owners()
    assert not any("/password/reset/key/" in message.body for message in mail.outbox)


def test_a_login_under_way_is_over(thief, clock):
    """The stranger enrolled a factor, and has shown the password when the owner takes the account back."""
    thief.move(THIEF)
    app = thief.enrol()
    clock.shift(60)
    half = Browser(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=NEAR)
    half.post("/accounts/login/", {"login": THIEF, "password": PASSWORD})
    follow(links()[-1])
    half.post("/accounts/2fa/authenticate/", {"code": app.code()})
    assert_is_the_owners()


def test_there_is_one_point_for_each_address_however_often_it_changes(thief, clock):
    thief.add(THIRD)
    thief.move(THIEF)
    for email in (THIRD, THIEF, THIRD):
        clock.shift(1)
        body = {"email": email, "primary": True}
        assert thief.app.patch(f"{APP}/account/email", body).status_code == 200
    points = RecoveryPoint.objects.filter(closed_at=None).values_list("email", flat=True)
    assert sorted(points) == sorted({OWNER, *points}) and len(points) <= 3


def test_the_link_counts_its_seven_days_from_the_last_change(thief, clock):
    thief.add(THIRD)
    first = links()[-1]
    clock.shift(timedelta(days=6))
    late = Thief()
    late.add(THIEF)
    clock.shift(timedelta(days=6))
    assert links()[-1] == first
    follow(first)
    assert_is_the_owners()


def test_no_database_holds_the_link(thief):
    thief.move(THIEF)
    token = links()[-1].partition("=")[2]
    stored = [str(vars(row)) for row in RecoveryPoint.objects.all()]
    assert token not in "".join(stored) and recovery.TOKEN == "token"


def test_points_are_not_kept_longer_than_they_work(thief, clock):
    thief.add(THIEF)
    clock.shift(timedelta(days=8))
    Thief().add(THIRD)
    assert RecoveryPoint.objects.count() == 1


# Requests of the stranger's that are under way at that very moment


@pytest.fixture
def meanwhile(monkeypatch):
    """meanwhile(model, act): do something right before the next row of this model is written.

    A password is written under the lock of the user's row: right before that.
    """
    connected = []

    def meanwhile(model, act):
        def once(**kwargs):
            pre_save.disconnect(once, sender=model)
            act()

        pre_save.connect(once, sender=model)
        connected.append((once, model))

    def before_password(act):
        setter = AccountAdapter.set_password

        def set_password(*args):
            act()
            setter(*args)

        monkeypatch.setattr(AccountAdapter, "set_password", set_password)

    yield lambda model, act: meanwhile(model, act) if model else before_password(act)
    for receiver, model in connected:
        pre_save.disconnect(receiver, sender=model)


def under_way(thief, loopback):
    """Requests by what they do, each with the table that it writes just after the account was taken back."""
    user = User.objects.get()
    page, new = thief.page, "mine 4 ever and"
    sub = loopback.knows("late", email="late@else.example", email_verified=True)
    away = page.post("/accounts/oidc/oidc/login/?process=connect")["Location"]
    back = loopback.consent(away, sub).partition("testserver")[2]
    reset = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    resetting = Browser()
    form = resetting.get(f"/accounts/password/reset/key/{reset}/", follow=True)
    where = form.redirect_chain[-1][0]
    primary = {"email": THIRD, "action_primary": ""}
    change = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    passwords = {"password1": new, "password2": new}
    return {
        "another address": (EmailAddress, lambda: page.post("/accounts/email/", primary)),
        "another login": (User, lambda: page.post("/accounts/email/", primary)),
        "another site": (SocialAccount, lambda: page.get(back)),
        "a password": (None, lambda: page.post("/accounts/password/change/", change)),
        "a reset password": (None, lambda: resetting.post(where, passwords)),
    }


@pytest.mark.parametrize(
    "what",
    [
        "another address",
        "another login",
        "another site",
        "a password",
        "a reset password",
    ],
)
def test_a_request_under_way_adds_nothing_afterwards(thief, what, loopback, settings, meanwhile):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    thief.move(THIEF)
    thief.add(THIRD)
    link = links()[-1]
    model, act = under_way(thief, loopback)[what]
    done = []
    meanwhile(model, lambda: done.append(follow(link).status_code))
    mail.outbox.clear()
    act()
    assert done == [302]
    assert_is_the_owners()
    assert not told(THIRD)


def test_a_proof_of_an_address_under_way_proves_nothing_afterwards(thief, monkeypatch):
    thief.move(THIEF)
    thief.app.post(f"{APP}/account/email", {"email": THIRD})
    link, knows = links()[-1], first_proof.knows_account
    done = []

    def knows_account(*args):
        known = knows(*args)
        done.append(follow(link).status_code)
        return known

    key = EmailConfirmationHMAC(EmailAddress.objects.get(email=THIRD)).key
    monkeypatch.setattr(first_proof, "knows_account", knows_account)
    Browser().post(f"/accounts/confirm-email/{key}/", {"password": PASSWORD})
    assert done == [302]
    assert_is_the_owners()


def test_a_password_that_is_set_by_mail_brings_nothing_else_back(owner, meanwhile):
    """Staff have deactivated the account at that very moment."""
    reset = f"{user_pk_to_url_str(owner)}-{default_token_generator.make_token(owner)}"
    browser = Browser()
    form = browser.get(f"/accounts/password/reset/key/{reset}/", follow=True)
    where = form.redirect_chain[-1][0]
    meanwhile(None, lambda: User.objects.update(is_active=False))
    browser.post(where, {"password1": NEW, "password2": NEW})
    assert not User.objects.get().is_active


def test_an_address_that_a_stranger_added_is_not_proved_after_the_owners_no(
    thief, owner, django_capture_on_commit_callbacks
):
    assert thief.app.post(f"{APP}/account/email", {"email": THIEF}).status_code == 200
    key = EmailConfirmationHMAC(EmailAddress.objects.get(email=THIEF)).key
    with django_capture_on_commit_callbacks(execute=True):
        for session in DeviceSession.objects.filter(ip_address=NEAR).active():
            sessions.review(session.pk, is_mine=False)
    path = f"/accounts/confirm-email/{key}/"
    Browser(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=NEAR).post(path, {"password": PASSWORD})
    assert [each.email for each in EmailAddress.objects.filter(user=owner)] == [OWNER]
