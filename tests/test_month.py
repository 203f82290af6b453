"""A month of one person: however they move, update and sign in again, the list shows what they own."""

from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import DeviceSession
from tests.client import Device

HOME, OFFICE, VPN = "203.0.113.7", "198.51.100.20", "192.0.2.200"
MOBILE = [f"100.64.{n}.9" for n in range(30)]
DAY = 24 * 3600

PHONE = "Acme/{}.0 (iPhone; iOS 17.{}; Scale/3.00)"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{}.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
BRANDS = '"Chromium";v="{0}", "Google Chrome";v="{0}", "Not-A.Brand";v="99"'


def now_is(device, ip, agent=None, **headers):
    """The same device, somewhere else or after an update."""
    sent = {"REMOTE_ADDR": ip, **({"HTTP_USER_AGENT": agent} if agent else {}), **headers}
    device.defaults |= sent
    device.credentials(**{**device._credentials, **sent})


def test_a_month_leaves_as_many_devices_as_there_are(alice, clock):
    phone, laptop, second_browser = Device(), Device(), Device()
    phone.defaults["HTTP_X_DEVICE_ID"] = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    laptop.defaults["HTTP_ORIGIN"] = second_browser.defaults["HTTP_ORIGIN"] = "https://acme.example"

    for day in range(30):
        # The phone goes from Wi-Fi to mobile and back, and its app and system are updated.
        app = PHONE.format(4 + day // 10, 4 + day // 15)
        now_is(phone, HOME, app)
        if day % 7 == 0:
            # Signed out by the app store's update, by a forgotten token, by curiosity.
            phone.sign_in(alice.email)
        for ip in (HOME, MOBILE[day], OFFICE, MOBILE[day]):
            now_is(phone, ip)
            phone.rotate()
            clock.shift(3600)

        # The laptop is at home, in the office, behind a VPN; its browser is updated, and tells of Windows 11
        # from the first visit on which it was asked.
        version = 124 + day // 9
        hints = {"HTTP_SEC_CH_UA": BRANDS.format(version), "HTTP_SEC_CH_UA_PLATFORM": '"Windows"'}
        if day > 3:
            hints["HTTP_SEC_CH_UA_PLATFORM_VERSION"] = '"15.0.0"'
        now_is(laptop, (HOME, OFFICE, VPN)[day % 3], CHROME.format(version), **hints)
        if day % 5 == 0:
            laptop.credentials()
            laptop.sign_in(alice.email)
        laptop.rotate()

        now_is(second_browser, HOME, FIREFOX.format(125 + day // 14))
        if day % 11 == 0:
            second_browser.sign_in(alice.email)
        clock.shift(DAY - 4 * 3600)

    phone.rotate()
    listed = {row["id"]: row["device"] for row in phone.get("/api/sessions").json()}
    assert listed == {
        phone.session_id: "Acme on iOS",
        laptop.session_id: "Chrome on Windows 11",
        second_browser.session_id: "Firefox on Windows",
    }
    # And in the whole history: three devices, each with all its sign-ins.
    history = DeviceSession.objects.filter(user=alice)
    assert history.count() == 5 + 6 + 3
    assert len(set(history.values_list("device_key", flat=True))) == 3
    assert set(history.values_list("revoke_reason", flat=True)) == {"", "superseded"}


def test_what_shows_no_id_is_counted_by_what_it_is_like(alice, clock):
    """As `sessions.start` sees it where no door hands out a cookie."""

    for day in range(30):
        sessions.start(alice, Client(MOBILE[day], CHROME.format(124 + day // 9)))
        clock.shift(DAY)
    sessions.start(alice, Client(HOME, FIREFOX.format(125)))
    keys = DeviceSession.objects.filter(user=alice).values_list("device_key", flat=True)
    assert len(set(keys)) == 2
