"""Kinds of user agents that were read wrongly once, by examples of our own and those that makers document."""

import pytest

from devices.core.clients.client import Client, describe_device


def of(user_agent, **hints):
    return describe_device(
        Client(user_agent=user_agent, hints={k.replace("_", "-"): v for k, v in hints.items()})
    )


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("SmartLedger/2.1 (Windows NT 10.0; Win64; x64)", ("SmartLedger on Windows", "desktop")),
        ("Playground/1.6 (X11; Linux x86_64)", ("Playground on Linux", "desktop")),
        ("Portfolio/3.1 (Macintosh; Intel Mac OS X 14_0)", ("Portfolio on macOS", "desktop")),
        ("Mediathek/1.0", ("Mediathek", "app")),
        ("Compass Rose/4.2", ("Compass Rose", "app")),
        ("T-Mobile/5.1 (Windows NT 10.0)", ("T-Mobile on Windows", "desktop")),
    ],
)
def test_the_first_letters_of_a_name_make_no_phone(user_agent, expected):
    named = of(user_agent)
    assert (named.device, named.device_type) == expected


ARK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"Mozilla/5.0 (Phone; OpenHarmony 6.0) {ARK} Mobile", ("Huawei Browser", "mobile")),
        (f"Mozilla/5.0 (Tablet; OpenHarmony 6.0) {ARK} Mobile", ("Huawei Browser", "tablet")),
        (f"Mozilla/5.0 (PC; OpenHarmony 6.0) {ARK}", ("Huawei Browser", "desktop")),
        (f"Mozilla/5.0 (PC; OpenHarmony 6.0; HarmonyOS 6.0) {ARK}", ("Huawei Browser", "desktop")),
        (f"Mozilla/5.0 (Phone; OpenHarmony 6.0) {ARK} Mobile Acme/4.2", ("Acme", "mobile")),
    ],
)
def test_harmonyos_without_android_is_read(user_agent, expected):
    named = of(user_agent)
    assert (named.browser, named.device_type) == expected
    assert named.os == "HarmonyOS"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        # https://developer.samsung.com/smarttv/develop/guides/fundamentals/retrieving-platform-information.html
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) "
            "94.0.4606.31/7.0 TV Safari/537.36",
            "Samsung Internet on Tizen",
        ),
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 5.5) AppleWebKit/537.36 (KHTML, like Gecko) "
            "69.0.3497.106.1/5.5 TV Safari/537.36",
            "Samsung Internet on Tizen",
        ),
        # https://webostv.developer.lge.com/develop/specifications/web-api-and-web-engine
        (
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/108.0.5359.211 Safari/537.36 WebAppManager",
            "Chrome on webOS",
        ),
        (
            "Mozilla/5.0 (Linux; Kepler 1.1; AFTCA002 user/1001; wv) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Silk on Vega OS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 11; AFTKRT Build/RS8101) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Silk/128.5 like Chrome/128.0 Mobile Safari/537.36",
            "Silk on Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; Acme TV Box 4K) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Streamer Build/UTTC.250917.004; wv) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; Acme Smart Box Q2) AppleWebKit/537.36 "
            "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; Acme Stick 4K Build/QTG3.200913.001; wv) "
            "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("HbbTV/1.5.1 (+DRM; Acme; TV55; 1.0; ; )", "Unknown device"),
    ],
)
def test_a_television_is_one_and_its_browser_is_no_number(user_agent, device):
    named = of(user_agent)
    assert (named.device, named.device_type) == (device, "tv")


@pytest.mark.parametrize(
    "model",
    [
        "Turbox 5",  # a part of a word is no box
        "Phone 24 Build/UTAS34.82-21-2",  # as Motorola numbers its builds for phones
        "Joy 7_TV",  # phones with an aerial
    ],
)
def test_a_phone_with_a_name_like_a_televisions_is_none(model):
    phone = f"Mozilla/5.0 (Linux; Android 14; {model}) AppleWebKit/537.36 (KHTML, like Gecko)"
    assert of(f"{phone} Chrome/124.0.0.0 Mobile Safari/537.36").device_type == "mobile"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("WindowsillGarden/1.0", ("WindowsillGarden", "app")),
        ("Blinux/1.0", ("Blinux", "app")),
        ("Androidify/1.0", ("Androidify", "app")),
        ("Rokusan/1.0", ("Rokusan", "app")),
        ("Tizenegger/1.0", ("Tizenegger", "app")),
        ("iOSphere/2.0 (Windows NT 10.0; Win64; x64)", ("iOSphere on Windows", "desktop")),
        ("Helios/3.0 (Macintosh; Intel Mac OS X 14_0)", ("Helios on macOS", "desktop")),
        ("HaikuReader/2.1 (iPhone; iOS 18.1)", ("HaikuReader on iOS", "mobile")),
        ("XPC/1.0 (Windows NT 10.0)", ("XPC on Windows", "desktop")),
        ("Remote Desktop/10.2 (Macintosh)", ("Remote Desktop on macOS", "desktop")),
        ("Cash App/4.2 (iPhone; iOS 18.1)", ("Cash App on iOS", "mobile")),
        ("Launchpad/2.1 Android", ("Launchpad on Android", "mobile")),
        ("Abbot/1.0 (Macintosh; Intel Mac OS X 14_0)", ("Abbot on macOS", "desktop")),
        ("Talkbot/3.1 (iPhone; iOS 18.1)", ("Talkbot on iOS", "mobile")),
        ("PlayStationApp/23.1 (iPhone; iOS 18.1)", ("PlayStationApp on iOS", "mobile")),
        ("Acme TV/2.0 (Linux; Android 14; Pixel 8)", ("Acme TV on Android", "mobile")),
        ("Acme TV/2.0 (iPhone; iOS 18.1)", ("Acme TV on iOS", "mobile")),
    ],
)
def test_no_word_is_cut_out_of_a_name_and_no_system_found_inside_of_one(user_agent, expected):
    named = of(user_agent)
    assert (named.device, named.device_type) == expected


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        ("Mozilla/5.0 (compatible; AcmeReader/1.0; +https://acme.example)", "AcmeReader"),
        ("Mozilla/5.0 (compatible; Acme Sync 2.1; ops@acme.example)", "Acme Sync 2.1"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Acme-User/1.0; "
            "+https://acme.example/bot)",
            "Acme-User",
        ),
        ("Mozilla/5.0 (AcmeAgent/3; +https://acme.example/agent)", "AcmeAgent"),
        ("Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)", "Internet Explorer"),
    ],
)
def test_a_name_in_the_comment_is_found(user_agent, browser):
    assert of(user_agent).browser == browser


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Acme%20Atlas/20251113 CFNetwork/3860.100.1 Darwin/25.0.0", ("Acme Atlas", "app")),
        ("Acme/7 CFNetwork/1408.0.4 Darwin/22.5.0", ("Acme", "app")),
        ("Acme/7 CFNetwork/978.0.7 Darwin/18.7.0", ("Acme on iOS", "mobile")),
        ("Acme/7 CFNetwork/1240.0.4 Darwin/20.6.0 (x86_64)", ("Acme on macOS", "desktop")),
        ("Safari/20620.1.11 CFNetwork/1568.300.61 Darwin/24.2.0", ("Safari on macOS", "desktop")),
        ("AcmeiOS/7 CFNetwork/3860.100.1 Darwin/25.0.0", ("Acme on iOS", "mobile")),
        ("Acme/2 iPhone16,1 iOS/18.1 CFNetwork/1568.2 Darwin/24.1.0", ("Acme on iOS", "mobile")),
    ],
)
def test_where_apples_kernel_is_all_that_shows_no_system_is_claimed(user_agent, expected):
    named = of(user_agent)
    assert (named.device, named.device_type) == expected


@pytest.mark.parametrize(
    ("stated", "os", "device_type"),
    [
        ("iPhone16,1", "iOS", "mobile"),
        ("iPad14,5", "iPadOS", "tablet"),
        ("MacBookPro18,3", "macOS", "app"),
    ],
)
def test_the_app_can_state_its_device_itself(stated, os, device_type):
    named = of("Acme/7 CFNetwork/3860.100.1 Darwin/25.0.0", x_device_model=stated)
    assert (named.os, named.device_type) == (os, device_type)


@pytest.mark.parametrize(
    ("package", "browser"),
    [
        ("com.google.android.apps.translate", "Google Translate"),
        ("com.google.android.calendar", "Google Calendar"),
        ("com.microsoft.launcher", "Microsoft Launcher"),
        ("com.facebook.adsmanager", "Facebook Adsmanager"),
        ("com.google.android.gm", "Gmail"),
        ("com.google.android.googlequicksearchbox", "Google App"),
        ("com.microsoft.office.outlook", "Microsoft Outlook"),
        ("com.facebook.katana", "Facebook"),
    ],
)
def test_a_maker_of_many_apps_is_no_app(package, browser):
    webview = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36"
    )
    assert of(webview, x_requested_with=package).browser == browser


IPAD_AS_MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)


@pytest.mark.parametrize(
    ("program", "browser"),
    [
        ("CriOS/154 Version/11.1.1 Safari/605.1.15", "Chrome"),
        ("FxiOS/144.0 Safari/605.1.15", "Firefox"),
        ("EdgiOS/140.0 Version/18.0 Safari/605.1.15", "Edge"),
        ("OPT/5.6 Version/18.0 Safari/605.1.15", "Opera"),
    ],
)
def test_an_ipad_that_shows_the_desktops_site_is_a_tablet(program, browser):
    named = of(f"{IPAD_AS_MAC} {program}")
    assert (named.browser, named.os, named.device_type) == (browser, "iPadOS", "tablet")


IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148"
)
WEBVIEW = (
    "Mozilla/5.0 (Linux; Android 14; Acme 5; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (f"{IPHONE} Chatter iOS/598 ChatterTheme/light", "Chatter on iOS"),
        (f"{WEBVIEW} Chatter Android/12070001", "Chatter on Android"),
        (f"{IPHONE} Safari/604.1 ManagedBrowser", "Safari on iOS"),
    ],
)
def test_an_app_that_gives_its_version_after_the_platform_is_found(user_agent, device):
    assert of(user_agent).device == device


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        (f"{WEBVIEW}Chatter/21.1.11", "Chatter"),  # no blank before it
        (f"{WEBVIEW} Chatter 8.0.0 rv:2194", "Chatter"),
        (f"{WEBVIEW}; CHATTERAPP 4.1.1", "CHATTERAPP"),
        (f"{WEBVIEW} +Chatter/6.1", "Chatter"),
        (f"{IPHONE} Chatter_2.0.0 JsSdk/2.0 NetType/WIFI", "Chatter"),
        (f"{IPHONE} ChatterSSO-1.3.7 VpnCapable NAC/1.0", "ChatterSSO"),
        # Nothing of a system or a device is a name for want of another.
        ("Dalvik/2.1.0 Linux; U; Android 9; acme 1902 Build/PPR1.180610.011", "Android Browser"),
    ],
)
def test_a_name_is_found_however_its_version_follows(user_agent, browser):
    assert of(user_agent).browser == browser


@pytest.mark.parametrize(
    ("program", "browser"),
    [
        ("aweme_31.9.0 Region/CN JsSdk/2.0 aweme/31.9.0 BytedanceWebview/d8a21c6", "Douyin"),
        ("musical_ly_39.1.0 AppName/musical_ly BytedanceWebview/d8a21c6", "TikTok"),
        ("wxwork/4.1.39 MicroMessenger/7.0.1 Language/zh", "WeCom"),
        ("MicroMessenger/8.0.50(0x18003237) NetType/WIFI Language/en", "WeChat"),
    ],
)
def test_an_app_with_another_ones_webview_is_itself(program, browser):
    assert of(f"{IPHONE} {program}").browser == browser


@pytest.mark.parametrize(
    "name", ["ข่าวเด่น", "समाचार", "செய்திகள்", "الأخبارُ", "Новости", "新闻", "Tiếng Việt"]
)
def test_a_name_of_any_script_is_one(name):
    """Vowels and tones of many scripts are marks, not letters."""
    assert of(f"{name}/2.1 CFNetwork/3860.100.1 Darwin/25.0.0").browser == name
    assert of("Acme/7", x_app_version=f"{name} 2.1".encode().decode("latin-1")).browser == name


@pytest.mark.parametrize(
    ("user_agent", "os"),
    [
        ("Mozilla/5.0 (X11; FreeBSD amd64; rv:144.0) Gecko/20100101 Firefox/144.0", "FreeBSD"),
        ("Mozilla/5.0 (X11; OpenBSD amd64; rv:144.0) Gecko/20100101 Firefox/144.0", "OpenBSD"),
        (
            "Mozilla/5.0 (X11; NetBSD amd64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/124.0.0.0 Safari/537.36",
            "NetBSD",
        ),
    ],
)
def test_the_bsds_are_desktops(user_agent, os):
    named = of(user_agent)
    assert (named.os, named.device_type) == (os, "desktop")


@pytest.mark.parametrize(
    ("model", "kind"),
    [("Pixel 8", "mobile"), ("SM-X710", "tablet"), ("BRAVIA 4K UR3", "tv")],
)
def test_an_app_that_names_itself_as_android_does_is_on_what_the_model_is(model, kind):
    """user-agents calls each a tablet (findings/user-agents-calls-android-apps-tablets.sh)."""
    label = of(f"Dalvik/2.1.0 (Linux; U; Android 14; {model} Build/UD1A.230803.041)")
    assert label.device_type == kind
