"""A bound session without its cookie (DBSC) is refused, and goes on; who is told of it."""

from datetime import timedelta

import pytest
import time_machine
from django.core.signing import TimestampSigner
from django.test import Client
from django.utils import timezone

from devices.core import sessions
from devices.core.binding import dbsc
from devices.core.log.security_log import Event
from devices.models import Activity, DeviceSession, Notification, NotificationKind, RevokeReason
from tests.client import CHROME
from tests.dbsc import BoundBrowser, bound_cookie, stolen

AGE = timedelta(minutes=10)


def failures():
    return list(Activity.objects.filter(kind="binding.failed").values_list("data", flat=True))


def test_a_bound_session_without_its_cookie_is_refused_and_comes_back_by_a_proof(browser):
    browser.lose_cookie()
    answer = browser.get("/devices/")
    assert answer.url.startswith("/accounts/login/")
    assert DeviceSession.objects.get().status == "active"
    assert (
        "did not prove that it is the one you signed in with"
        in browser.get(answer.url).content.decode()
    )
    assert browser.renew().status_code == 200
    assert browser.is_in()


def test_what_a_thief_does_is_not_noted_as_a_use(browser):
    before = DeviceSession.objects.get()
    with time_machine.travel(timezone.now() + timedelta(minutes=12)):
        thief = stolen(browser)
        assert thief.get("/devices/", secure=True).status_code == 302
    after = DeviceSession.objects.get()
    assert (after.last_active, after.last_ip) == (before.last_active, before.last_ip)


def test_a_copied_cookie_is_good_until_the_bound_one_expires_and_the_owner_is_told_once(browser):
    thief = stolen(browser)
    assert thief.get("/devices/", secure=True).status_code == 200
    now = timezone.now()
    for minutes in (12, 20, 30):
        with time_machine.travel(now + timedelta(minutes=minutes)):
            assert thief.get("/devices/", secure=True).status_code == 302
    assert failures() == [{"binding": "dbsc", "reason": "expired"}]
    [notice] = Notification.objects.all()
    assert notice.kind == NotificationKind.BINDING_FAILED
    with time_machine.travel(now + timedelta(minutes=30)):
        browser.renew()
        assert browser.is_in()


WRONG_COOKIES = {
    "missing": lambda b, s: None,
    "empty": lambda b, s: "",
    "nonsense": lambda b, s: "cookie",
    "not ASCII": lambda b, s: "é",
    "cut": lambda b, s: dbsc.cookie_of(s)[:-1],
    "of another session": lambda b, s: dbsc.cookie_of(DeviceSession(binding_key=s.binding_key)),
    "of another key": lambda b, s: dbsc.cookie_of(DeviceSession(pk=s.pk, binding_key="A" * 43)),
    "a challenge": lambda b, s: dbsc.challenge(s),
    "signed by nobody": lambda b, s: TimestampSigner(key="x" * 40, salt="devices.dbsc.cookie").sign(
        f"{s.pk.hex}.{s.binding_key}"
    ),
}


@pytest.mark.parametrize("wrong", WRONG_COOKIES)
@pytest.mark.parametrize("path", ["/devices/", "/admin/", "/devices/history.csv"])
def test_a_wrong_cookie_is_refused_and_taken_from_the_browser(make_user, wrong, path):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    browser = BoundBrowser().bind(root.email)
    browser.renew()
    value = WRONG_COOKIES[wrong](browser, DeviceSession.objects.get())
    browser.lose_cookie()
    if value is not None:
        browser.cookies[browser.bound] = value
    answer = browser.get(path)
    assert answer.status_code == 302
    assert "/login/" in answer.url
    if value:
        # So that it asks for another one at once.
        assert bound_cookie(answer)["max-age"] == 0
    browser.lose_cookie()
    browser.renew()
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize("name", ["", "(", "ä", "0" * 12 + "0", "0" * 11 + "=", "SHOUTED-IT-IS"])
def test_cookies_that_are_called_alike_are_left_alone(browser, name):
    """A name that no cookie can have, would make the answer that deletes it an error."""
    cookies = f"__Host-sessionid={browser.cookies['__Host-sessionid'].value}"
    elsewhere = Client(REMOTE_ADDR="203.0.113.7", HTTP_USER_AGENT=CHROME)
    header = f"{cookies}; __Host-device_bound_{name}=x"
    answer = elsewhere.get("/devices/", secure=True, headers={"Cookie": header})
    assert answer.status_code == 302
    assert bound_cookie(answer) is None


def test_a_cookie_of_the_previous_secret_is_good(browser, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, which signs from now on"
    assert browser.is_in()


def test_requests_that_were_under_way_when_the_session_was_bound_are_not_refused(alice):
    browser = BoundBrowser().bind(alice.email)
    browser.lose_cookie()
    assert browser.is_in()
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert not browser.is_in()


def test_requests_that_were_under_way_when_the_cookie_expired_are_not_refused(browser):
    now = timezone.now()
    with time_machine.travel(now + AGE + timedelta(seconds=30)):
        assert browser.is_in()
    with time_machine.travel(now + AGE * 1.1 + timedelta(seconds=3)):
        assert not browser.is_in()


SKIPPED = ["unreachable", "server_error", "quota_exceeded"]


@pytest.mark.parametrize("reason", SKIPPED)
def test_no_mail_tells_of_a_browser_that_says_why_it_has_no_proof(browser, reason):
    browser.lose_cookie()
    said = f'{reason};session_identifier="{browser.identifier}"'
    answer = browser.get("/devices/", headers={"Secure-Session-Skipped": said})
    assert answer.status_code == 302
    assert (failures(), Notification.objects.count()) == ([], 0)


@pytest.mark.parametrize("before", ["unreachable", "holiday"])
def test_a_browser_with_several_sessions_says_it_of_each(
    browser, security_lines, before, django_capture_on_commit_callbacks
):
    """As the example of the draft has it."""
    browser.lose_cookie()
    said = (
        f'{before};session_identifier="123", server_error;session_identifier="{browser.identifier}"'
    )
    with django_capture_on_commit_callbacks(execute=True):
        browser.get("/devices/", headers={"Secure-Session-Skipped": said})
    assert (failures(), Notification.objects.count()) == ([], 0)
    [logged] = security_lines.of(Event.BINDING_FAILED)
    assert logged["reason"] == "server_error"


@pytest.mark.parametrize(
    "said",
    [
        "quota_exceeded",
        'quota_exceeded, holiday;session_identifier="{}"',
        'quota_exceeded;session_identifier="another"',
        'holiday;session_identifier="{}"',
        "quota_exceeded;session_identifier={}",
    ],
)
def test_who_does_not_know_how_the_browser_calls_it_silences_no_mail(browser, said):
    headers = {"Secure-Session-Skipped": said.format(browser.identifier)}
    browser.lose_cookie()
    browser.get("/devices/", headers=headers)
    assert failures() == [{"binding": "dbsc", "reason": "missing"}]


def curious(get_response):
    """Middleware of a project that looks at the user of every request, before the view."""

    def middleware(request):
        str(request.user)
        return get_response(request)

    return middleware


def test_the_renewal_itself_lacks_the_cookie_and_is_nothing_to_tell_of(browser, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.curious"]
    browser.handler.load_middleware()
    browser.lose_cookie()
    assert browser.ask().status_code == 403
    assert browser.ask("wrong").status_code == 400
    assert [each["reason"] for each in failures()] == ["wrong_proof"]


def test_a_new_login_in_a_browser_without_its_key_ends_the_session_before(browser, alice):
    browser.lose_cookie()
    assert not browser.is_in()
    browser.bind(alice.email)
    assert browser.is_in()
    old, new = DeviceSession.objects.order_by("created_at")
    assert (old.revoke_reason, new.status) == (RevokeReason.SUPERSEDED, "active")


def test_signing_out_takes_the_cookie_so_that_the_browser_asks(browser):
    answer = browser.post("/accounts/logout/", headers={"Referer": "https://testserver/"})
    assert bound_cookie(answer)["max-age"] == 0
    assert browser.ask().json()["continue"] is False


def test_one_revoked_elsewhere_takes_the_cookie_so_that_the_browser_asks(browser):
    sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.USER)
    answer = browser.get("/devices/")
    assert answer.status_code == 302
    assert bound_cookie(answer)["max-age"] == 0
