"""Chromium, driven for real: the row says what it announces of the device it emulates."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from devices.models import DeviceSession
from tests.client import PASSWORD

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
CHROME = "Chrome/{major}.0.0.0 Safari/537.36"
CHROME_MOBILE = "Chrome/{major}.0.0.0 Mobile Safari/537.36"
GREASE = {"brand": "Not.A/Brand", "version": "99"}


def hints(platform, version, model="", *, brand="Google Chrome", mobile=False, form=""):
    """What the browser knows of itself, with the brands as this Chromium would list them."""
    return {
        "brands": [
            GREASE,
            {"brand": "Chromium", "version": "140"},
            *([{"brand": brand, "version": "140"}] if brand else []),
        ],
        "platform": platform,
        "platformVersion": version,
        "architecture": "",
        "model": model,
        "mobile": mobile,
        "formFactors": [form] if form else [],
    }


WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} {CHROME}"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} {CHROME}"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} "
# What Chromium is made to be: user agent, hints (Safari has none), and the row it should make.
DEVICES = {
    "Pixel": (
        ANDROID + CHROME_MOBILE,
        hints("Android", "14.0.0", "Pixel 8", mobile=True, form="Mobile"),
        ("Chrome on Android (Pixel 8)", "mobile", "Chrome", "Android"),
    ),
    "Android tablet": (
        ANDROID + CHROME,
        hints("Android", "14.0.0", "SM-X910", form="Tablet"),
        ("Chrome on Android (SM-X910)", "tablet", "Chrome", "Android"),
    ),
    "iPhone": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {IOS}",
        None,
        ("Safari on iOS", "mobile", "Safari", "iOS"),
    ),
    "iPad": (
        f"Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) {IOS}",
        None,
        ("Safari on iPadOS", "tablet", "Safari", "iPadOS"),
    ),
    "Windows 11": (
        WINDOWS,
        hints("Windows", "15.0.0", form="Desktop"),
        ("Chrome on Windows 11", "desktop", "Chrome", "Windows 11"),
    ),
    "Windows 10": (
        f"{WINDOWS} Edg/140.0.0.0",
        hints("Windows", "10.0.0", brand="Microsoft Edge"),
        ("Edge on Windows 10", "desktop", "Edge", "Windows 10"),
    ),
    "macOS": (
        MAC,
        hints("macOS", "14.5.0", brand="Brave"),
        ("Brave on macOS", "desktop", "Brave", "macOS"),
    ),
}

LOG_IN = """async ([email, password]) => {
    const answer = await fetch("/api/login", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({email, password}),
    });
    return answer.status;
}"""


@pytest.fixture
def in_chromium(live_server):
    """in_chromium(work): what `work(new_page)` returns; each new page is a device of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: no browser was driven")

    def run(work):
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"]
            )

            def new_page(user_agent, metadata):
                major = browser.version.partition(".")[0]
                page = browser.new_context().new_page()
                override = {"userAgent": user_agent.format(major=major)}
                if metadata is not None:
                    override["userAgentMetadata"] = metadata
                session = page.context.new_cdp_session(page)
                session.send("Emulation.setUserAgentOverride", override)
                page.goto(f"{live_server.url}/accounts/login/")
                return page

            return work(new_page)

    # In a thread, since the driver's event loop would make Django refuse to ask the database in this one.
    with ThreadPoolExecutor(1) as pool:
        yield lambda work: pool.submit(run, work).result(timeout=60)


@pytest.mark.parametrize(("user_agent", "metadata", "row"), DEVICES.values(), ids=DEVICES)
def test_the_row_says_what_chromium_announces(in_chromium, alice, user_agent, metadata, row):
    def log_in(new_page):
        return new_page(user_agent, metadata).evaluate(LOG_IN, [alice.email, PASSWORD])

    assert in_chromium(log_in) == 200
    session = DeviceSession.objects.get()
    assert (session.device, session.device_type, session.browser, session.os) == row


def test_the_browser_keeps_its_cookie_and_is_the_same_device_again(in_chromium, alice, settings):
    settings.SESSION_COOKIE_SECURE = False

    def log_in_twice(new_page):
        page = new_page(*DEVICES["Windows 11"][:2])
        answers = [page.evaluate(LOG_IN, [alice.email, PASSWORD]) for _ in range(2)]
        seen_by_scripts = page.evaluate("document.cookie")
        page.context.clear_cookies()
        return [*answers, page.evaluate(LOG_IN, [alice.email, PASSWORD])], seen_by_scripts

    answers, seen_by_scripts = in_chromium(log_in_twice)
    assert answers == [200, 200, 200]
    assert "device" not in seen_by_scripts
    ended = DeviceSession.objects.revoked().get()
    assert ended.revoke_reason == "superseded"
    assert DeviceSession.objects.active().count() == 2
