"""What people come for, played in Chromium: two browsers of one person, seen from both."""

from zoneinfo import ZoneInfo

import pytest

from devices.models import DeviceSession
from tests.browser import scenes
from tests.browser.visitor import FIREFOX, WINDOWS
from tests.client import PASSWORD

EMAIL = "alice@example.org"


def card(visitor, text):
    """The card of the device of this name or label."""
    return visitor.page.get_by_role("listitem").filter(has_text=text)


def sign_up(visitor):
    visitor.go("/").press("Create an account")
    visitor.fill(email=EMAIL, password1=PASSWORD).press("Sign Up", within="main")


def is_out(visitor):
    """Whether the next click leads to the login, with a word why."""
    visitor.press("Your devices", within="header")
    return visitor.path.startswith("/accounts/login/") and "signed out" in visitor.reads()


@pytest.mark.parametrize(
    "how",
    [{}, {"java_script_enabled": False}, {"phone": True}],
    ids=["desk", "no-scripts", "phone"],
)
def test_signing_up_naming_and_signing_out_elsewhere(drive, db, how):
    def journey(visit):
        laptop, other, third = (
            visit(agent=agent, **how) for agent in (WINDOWS, FIREFOX, scenes.MAC)
        )
        sign_up(laptop)
        assert laptop.go("/devices/").path == "/devices/"
        assert "You are signed in nowhere else." in laptop.reads()

        for visitor in (other, third):
            visitor.sign_in(EMAIL, PASSWORD).go("/devices/")
            assert "This device Last active now" in visitor.reads().replace(" Windows 10", "")

        # A name, on its page.
        laptop.page.reload()
        assert "Other devices 2" in laptop.reads()
        there = card(laptop, "Firefox on Linux")
        there.locator("summary").click()
        there.get_by_role("link", name="Details and name").click()
        laptop.page.get_by_role("main").locator("summary").click()
        laptop.page.get_by_role("textbox").fill("Kitchen")
        laptop.press("Save", within="main")
        assert "This device is now called Kitchen." in laptop.reads()
        assert "Kitchen Firefox on Linux" in laptop.reads().replace("This device is", "", 1)
        laptop.go("/devices/")

        # One, by its name. Whoever thinks better of it, is back where they were.
        card(laptop, "Kitchen").get_by_role("link", name="Sign out").click()
        assert "Sign out Kitchen?" in laptop.reads()
        laptop.press("Cancel", within="main")
        card(laptop, "Kitchen").get_by_role("link", name="Sign out").click()
        laptop.press("Sign out", within="main form")
        assert "Signed out: Kitchen" in laptop.reads()
        assert is_out(other)

        # All others, by their number.
        other.sign_in(EMAIL, PASSWORD).go("/devices/")
        laptop.page.reload()
        laptop.press("Sign out all 2 others")
        laptop.press("Sign out 2 devices", within="main form")
        assert "Signed out 2 devices." in laptop.reads()
        assert is_out(other) and is_out(third)

        # And oneself.
        laptop.press("Sign out", within="header")
        assert laptop.go("/devices/").path.startswith("/accounts/login/")

    drive(journey)
    assert not DeviceSession.objects.active().exists()


def test_a_page_that_is_open_says_within_five_seconds_that_it_was_signed_out(drive, make_user):
    make_user(EMAIL)

    def journey(visit):
        one = visit(timezone_id="Asia/Kolkata").sign_in(EMAIL, PASSWORD).go("/devices/")
        other = visit(agent=FIREFOX).sign_in(EMAIL, PASSWORD).go("/devices/")
        card(other, "Chrome on Windows").get_by_role("link", name="Sign out").click()
        assert "You are signed out here" not in one.reads()
        other.press("Sign out", within="main form")
        told = one.page.get_by_role("alert")
        told.wait_for(timeout=5000)
        text = told.inner_text()
        assert "You are signed out here" in text and "Signed out from another device" in text
        # When, in the zone of whoever reads.
        assert "GMT+5:30" in text
        # The list is not left standing there.
        assert "Other devices" not in one.reads()
        one.press("Sign in again", within="main")
        assert one.path.startswith("/accounts/login/")

    drive(journey)


def test_the_exact_time_can_be_read_by_touch_in_the_zone_of_the_reader(drive, make_user):
    user = make_user(EMAIL)
    session = scenes.past(user, scenes.IPHONE, "84.160.12.7", began=3, last=1)

    def journey(visit):
        visitor = visit(phone=True, timezone_id="Asia/Kolkata").sign_in(EMAIL, PASSWORD)
        visitor.go("/devices/")
        there = card(visitor, "Safari on iOS")
        there.locator("summary").tap()
        return there.locator("details time").first.inner_text()

    there = session.last_active.astimezone(ZoneInfo("Asia/Kolkata"))
    assert drive(journey).replace("\u202f", " ") == f"{there:%b} {there.day}, {there:%Y}, " + (
        f"{there:%I:%M %p} GMT+5:30".lstrip("0")
    )


def test_a_passkey_that_does_not_work_says_why(drive, db, live_server):
    def journey(visit):
        visitor = visit()
        # There browsers have no passkeys, which nothing but the console told.
        visitor.go(live_server.url.replace("localhost", "127.0.0.1") + "/accounts/login/")
        visitor.page.locator("#passkey_login").click()
        problem = visitor.page.locator("#passkey-problem")
        problem.wait_for()
        return problem.inner_text()

    assert "Open this site by its name" in drive(journey)


def test_what_is_old_asks_who_one_is_and_comes_back(drive, make_user):
    user = make_user(EMAIL)
    scenes.past(user, scenes.IPHONE, "84.160.12.7", began=3, last=1, name="My phone")

    def begin(visit):
        visitor = visit()
        return visitor.sign_in(EMAIL, PASSWORD), visitor.context.storage_state()

    _, cookies = drive(lambda visit: (None, begin(visit)[1]))
    scenes.long_ago(DeviceSession.objects.filter(user=user))

    def journey(visit):
        visitor = visit(storage_state=cookies).go("/devices/")
        card(visitor, "My phone").get_by_role("link", name="Sign out").click()
        assert visitor.path.startswith("/devices/confirm/?next=")
        visitor.fill(password="not this one").press("Confirm", within="main")
        assert "not your password" in visitor.reads()
        visitor.fill(password=PASSWORD).press("Confirm", within="main")
        assert "Sign out My phone?" in visitor.reads()
        visitor.press("Sign out", within="main form")
        assert "Signed out: My phone" in visitor.reads()

    drive(journey)


def test_it_can_be_done_with_the_keyboard_alone(drive, make_user):
    user = make_user(EMAIL)
    scenes.past(user, scenes.IPHONE, "84.160.12.7", began=3, last=1)

    def journey(visit):
        visitor = visit().sign_in(EMAIL, PASSWORD).go("/devices/")
        card(visitor, "Safari on iOS").locator("summary").press("Enter")
        visitor.page.keyboard.press("Tab")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_url("**/devices/*-*/")
        keyboard = visitor.page.keyboard
        seen = []
        for _ in range(40):
            keyboard.press("Tab")
            seen.append(
                visitor.page.evaluate(
                    "document.activeElement.innerText || document.activeElement.name"
                ).strip()
            )
            if seen[-1] == "Change the name of Safari on iOS":
                break
        assert seen[0] == "Skip to the content"
        keyboard.press("Enter")
        keyboard.press("Tab")
        keyboard.type("Phone")
        with visitor.page.expect_navigation():
            keyboard.press("Enter")
        assert "This device is now called Phone." in visitor.reads()

    drive(journey)


def test_it_speaks_german_once_chosen(drive, make_user):
    make_user(EMAIL)

    def journey(visit):
        visitor = visit().go("/").press("Deutsch")
        assert "Wo bin ich angemeldet?" in visitor.reads()
        visitor.go("/accounts/login/").fill(login=EMAIL, password=PASSWORD)
        visitor.page.locator("main form button").first.click()
        assert visitor.go("/devices/").page.title() == "Deine Geräte"
        assert visitor.page.locator("html").get_attribute("lang") == "de"

    drive(journey)


def test_A27_what_clients_call_themselves_is_inert_on_every_page(drive, make_user):
    admin = make_user("root@example.org", is_staff=True, is_superuser=True)
    ours = scenes.past(admin, scenes.EVIL, "84.160.12.7", began=1, last=0.1)
    scenes.name_as_stored(ours, scenes.EVIL[:64])
    turned = scenes.past(admin, FIREFOX, "84.160.12.8", began=2, last=0.2)
    scenes.name_as_stored(turned, scenes.TURNED)
    change = "/admin/devices/devicesession/{}/change/"
    paths = [
        "/devices/",
        *(f"/devices/{pk}/" for pk in (ours.pk, turned.pk)),
        *(f"/devices/{pk}/sign-out/" for pk in (ours.pk, turned.pk)),
        "/devices/sign-out-others/",
        "/admin/devices/devicesession/",
        *(change.format(pk) for pk in (ours.pk, turned.pk)),
    ]

    def journey(visit):
        visitor = visit().sign_in(admin.email, PASSWORD)
        for path in paths:
            visitor.go(path)
            assert visitor.path == path
            assert visitor.page.title() != "x", path
            assert visitor.page.locator("img[src=x]").count() == 0, path
            # Right-to-left text turns nothing but itself: it stands in an element that isolates it.
            for found in visitor.page.get_by_text("gpj.exe").all():
                assert found.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate", path

    drive(journey)
