"""Sessions bound to a key of the browser (DBSC), in Chromium itself: over HTTPS, with keys in software.

Here it is headless; tests/browser/test_dbsc_in_a_window.py plays the main journeys in a window.

Chromium renews the cookie with the first request within two minutes before it expires; here, where it is good
for seconds only, with each.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devices.core.binding.dbsc import COOKIE
from devices.models import Activity, DeviceSession, Notification, NotificationKind, RevokeReason
from tests.browser import secure_site
from tests.browser.engine import Engine
from tests.browser.visitor import CHROMIUM, FIREFOX, Visitor
from tests.client import PASSWORD

AGE = 3  # seconds that the bound cookie is good for
EXPIRED = AGE * 1.1 + 1.2  # and when no copy of it is

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return secure_site.make_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def chromium(
    certificates: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A Chromium that binds sessions, in a home of its own, which trusts the site's certificate."""
    with launched(certificates[1], tmp_path_factory.mktemp("home")) as found:
        yield found


@contextmanager
def launched(authority: Path, home: Path, display: str | None = None) -> Iterator[Engine]:
    """That Chromium: headless, or in a window on this display."""
    if CHROMIUM is None or secure_site.CERTUTIL is None:
        pytest.skip("needs Chromium and certutil: NO SESSION WAS BOUND BY A BROWSER")
    secure_site.trust(home, authority)
    env = {**os.environ, "HOME": str(home), "DISPLAY": display or ""}
    engine = Engine(
        headless=display is None,
        args=["--no-sandbox", f"--enable-features={','.join(secure_site.FEATURES)}"],
        env=env,
    )
    yield engine
    engine.close()


@pytest.fixture
def live_server(
    certificates: tuple[Path, Path], transactional_db: None, settings: Any
) -> Iterator[secure_site.SecureSite]:
    settings.DEVICES = {**settings.DEVICES, "DBSC": True, "DBSC_COOKIE_AGE": AGE}
    site = secure_site.SecureSite(certificates[0])
    yield site
    site.stop()


def sign_in(visitor: Visitor, user: Any) -> Visitor:
    before = cookie(visitor)
    visitor.sign_in(user.email, PASSWORD)
    # The browser registers beside the page that it loads.
    wait(visitor, lambda: cookie(visitor) not in (None, before))
    return visitor


def wait(visitor: Visitor, until: Callable[[], Any], seconds: int = 20) -> None:
    """Wait for what the browser does beside the page."""
    for _ in range(seconds * 10):
        if until():
            return
        visitor.page.wait_for_timeout(100)
    raise AssertionError("the browser did not do it")


def cookie(visitor: Visitor) -> str | None:
    found = [each["value"] for each in visitor.context.cookies() if each["name"].startswith(COOKIE)]
    return found[-1] if found else None


def wait_for_no_cookie(visitor: Visitor) -> None:
    """Wait until the browser has no bound cookie.

    A renewal that was under way at the sign-out may set it again. It opens nothing, and it expires.
    """
    wait(visitor, lambda: cookie(visitor) is None)


def expire(visitor: Visitor) -> None:
    visitor.page.wait_for_timeout(EXPIRED * 1000)
    # A renewal that came late moves the end.
    wait_for_no_cookie(visitor)


def is_in(visitor: Visitor) -> bool:
    return visitor.go("/devices/").path == "/devices/"


def listen(visitor: Visitor) -> list[dict[str, Any]]:
    """What the browser does about its bound sessions from now on, as its developer tools tell it."""
    told: list[dict[str, Any]] = []
    devtools = visitor.context.new_cdp_session(visitor.page)
    devtools.send("Network.enable")
    devtools.send("Network.enableDeviceBoundSessions", {"enable": True})
    devtools.on("Network.deviceBoundSessionEventOccurred", lambda event: told.append(event))
    return told


def endings(told: list[dict[str, Any]]) -> list[str]:
    """Why the browser forgot sessions and their keys."""
    details = [
        each["terminationEventDetails"] for each in told if "terminationEventDetails" in each
    ]
    return [each["deletionReason"] for each in details]


def renewals(told: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Which sessions the browser renewed."""
    return {(each["site"], each["sessionId"]) for each in told if "refreshEventDetails" in each}


def the_session() -> DeviceSession:
    return DeviceSession.objects.get()


def test_a_login_is_bound_and_its_cookie_renewed_across_its_expiry(drive, alice):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        first = cookie(visitor)
        assert first
        expire(visitor)
        assert is_in(visitor)
        assert cookie(visitor) not in (None, first)

    drive(journey)
    session = the_session()
    assert session.binding == "dbsc"
    assert session.binding_jwk["kty"] in ("EC", "RSA")
    assert session.binding_proofs >= 1
    assert not Activity.objects.filter(kind__startswith="binding.").exists()


def test_cookies_copied_to_a_second_profile_are_refused_once_the_bound_one_has_expired(
    drive, alice
):
    def journey(visit: Any) -> None:
        owner = sign_in(visit(), alice)
        assert is_in(owner)
        thief = visit()
        thief.context.add_cookies(owner.context.cookies())
        # Until then the copy is as good as the original.
        assert is_in(thief)
        expire(thief)
        assert thief.go("/devices/").path.startswith("/accounts/login/")
        assert "did not prove that it is the one you signed in with" in thief.reads()
        # The owner goes on, and the thief stays out.
        assert is_in(owner)
        assert thief.go("/devices/").path.startswith("/accounts/login/")

    drive(journey)
    assert the_session().status == "active"
    [failed] = Activity.objects.filter(kind="binding.failed")
    assert failed.data == {"binding": "dbsc", "reason": "missing"}
    assert [notice.kind for notice in Notification.objects.all()] == [
        NotificationKind.BINDING_FAILED
    ]


def test_one_revoked_from_another_device_is_told_to_the_browser(drive, alice):
    def journey(visit: Any) -> list[dict[str, Any]]:
        visitor = sign_in(visit(), alice)
        told = listen(visitor)
        assert is_in(visitor)
        other = sign_in(visit(agent=FIREFOX), alice)
        other.go("/devices/")
        there = other.page.get_by_role("listitem").filter(has_text="Chrome on Windows")
        there.get_by_role("link", name="Sign out").click()
        other.press("Sign out", within="main")
        # This answer deletes the cookie; before it loads the next page, the browser asks whether it goes on.
        assert visitor.go("/devices/").path.startswith("/accounts/login/")
        wait_for_no_cookie(visitor)
        assert is_in(other)
        wait(visitor, lambda: endings(told))
        return told

    assert endings(drive(journey)) == ["ServerRequested"]
    revoked = DeviceSession.objects.get(revoked_at__isnull=False)
    assert revoked.revoke_reason == RevokeReason.USER
    assert not Activity.objects.filter(kind__startswith="binding.").exists()


def test_signing_out_is_told_to_the_browser(drive, alice):
    def journey(visit: Any) -> list[dict[str, Any]]:
        visitor = sign_in(visit(), alice)
        told = listen(visitor)
        visitor.go("/accounts/logout/").press("Sign Out", within="main")
        wait_for_no_cookie(visitor)
        visitor.go("/accounts/login/")
        wait(visitor, lambda: endings(told))
        return told

    assert endings(drive(journey)) == ["ServerRequested"]
    assert the_session().revoke_reason == RevokeReason.LOGOUT


def test_a_form_that_is_sent_after_the_expiry_waits_for_the_proof_and_arrives_whole(drive, alice):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        visitor.go("/devices/")
        visitor.page.get_by_role("main").locator("summary").first.click()
        box = visitor.page.get_by_role("main").get_by_role("textbox").first
        expire(visitor)
        box.fill("Kitchen")
        visitor.page.get_by_role("button", name="Save").first.click()
        assert "This device is now called Kitchen." in visitor.reads()

    drive(journey)
    assert the_session().name == "Kitchen"


def test_two_tabs_share_one_renewal(drive, alice, caplog):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        tabs = [visitor.page, visitor.context.new_page()]
        expire(visitor)
        opened = (
            "(() => { window.answers = Promise.all([1, 2, 3].map(() => fetch('/devices/'))) })()"
        )
        tabs[0].evaluate(opened)
        tabs[1].goto("/devices/")
        assert tabs[1].url.endswith("/devices/")
        urls = tabs[0].evaluate("window.answers.then(all => all.map(answer => answer.url))")
        assert all(url.endswith("/devices/") for url in urls), urls

    drive(journey)
    assert not Activity.objects.filter(kind__startswith="binding.").exists()


def test_who_follows_a_link_from_another_site_after_the_expiry_is_in(drive, alice, live_server):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        visitor.page.goto(f"{live_server.elsewhere}/accounts/login/")
        expire(visitor)
        visitor.page.evaluate("url => { location.href = url }", f"{live_server.url}/devices/")
        visitor.page.wait_for_url(f"{live_server.url}/**")
        visitor.page.wait_for_load_state()
        assert visitor.path == "/devices/"

    drive(journey)
    assert not Activity.objects.filter(kind__startswith="binding.").exists()


def test_a_browser_that_has_lost_its_key_needs_a_new_login_which_ends_the_old_one(drive, alice):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        told = listen(visitor)
        assert is_in(visitor)
        wait(visitor, lambda: renewals(told))
        [key] = renewals(told)
        devtools = visitor.context.new_cdp_session(visitor.page)
        devtools.send("Network.deleteDeviceBoundSession", {"key": {"site": key[0], "id": key[1]}})
        expire(visitor)
        assert not is_in(visitor)
        sign_in(visitor, alice)
        assert is_in(visitor)
        expire(visitor)
        assert is_in(visitor)

    drive(journey)
    old, new = DeviceSession.objects.order_by("created_at")
    assert (old.revoke_reason, new.status) == (RevokeReason.SUPERSEDED, "active")
    assert (old.binding, new.binding) == ("dbsc", "dbsc")
    assert old.binding_key != new.binding_key


def test_another_login_in_the_same_browser_does_not_disturb_the_one_before(drive, alice, mallory):
    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), alice)
        first = cookie(visitor)
        # As if somebody had deleted the session cookie, and only that: the first session goes on.
        visitor.context.clear_cookies(name="__Host-sessionid")
        visitor.sign_in(mallory.email, PASSWORD)
        wait(visitor, lambda: cookie(visitor) not in (None, first))
        # The browser renews both, each by its key.
        expire(visitor)
        assert is_in(visitor)
        assert "mallory" in visitor.reads()

    drive(journey)
    assert not Activity.objects.filter(kind__startswith="binding.").exists()


def test_the_admin_asks_for_the_proof_too(drive, make_user):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)

    def journey(visit: Any) -> None:
        visitor = sign_in(visit(), root)
        visitor.go("/admin/")
        thief = visit()
        thief.context.add_cookies(visitor.context.cookies())
        expire(thief)
        assert "/login/" in thief.go("/admin/").path
        assert visitor.go("/admin/").path == "/admin/"

    drive(journey)
