"""Every page in Chromium, light and dark, at a desk and on a phone.

None is refused anything by its own policy, none logs an error, none fails axe-core, none is wider than its
screen. With IMAGES=folder (`make images`) those that the documents show are left there.
"""

import os
import re
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings

from accounts import recovery
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.notifications import review_links
from tests.browser import scenes
from tests.browser.visitor import DESK, PHONE
from tests.client import PASSWORD

IMAGES = os.environ.get("IMAGES", "")
ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
# The pictures in the documents. Others are not kept: they would be most of the repository.
SHOWN = {
    name for path in DOCUMENTS for name in re.findall(r"images/([\w-]+)\.webp", path.read_text())
}

# axe-core's own grades; what is below, "moderate" and "minor", is for people to weigh.
GRAVE = {"serious", "critical"}
# Theirs: in Django's form for a user dates in two fields with one label, and help in an empty <span>; in
# Swagger UI a button within what can be pressed itself.
THEIRS = ("vDateField", "vTimeField", "search-label-icon", "opblock-summary-control")


def faults(visitor, **options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Without `preload` it writes no styles into the page, which the policy would refuse.
    found = axe.run(visitor.page, options={"preload": False, **options}).response["violations"]
    return [
        f"{visitor.path}: {rule['id']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
        if not any(name in node["html"] for name in THEIRS)
    ]


# Whether a list of the admin has to be moved sideways to be read.
HIDDEN_COLUMNS = """
[...document.querySelectorAll("#changelist .results")].some((each) => each.scrollWidth > each.clientWidth)
"""


# Buttons fade from one theme to the other, from the next frame on.
FADED = """
new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() =>
    Promise.allSettled(document.getAnimations().map((each) => each.finished)))
"""


def look(visitor, name):
    """The faults of the page as it is: in both themes and sizes. Colours are all that differs in the dark."""
    page, found = visitor.page, []
    for size, viewport in (("desktop", DESK), ("phone", PHONE)):
        page.set_viewport_size(viewport)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.evaluate(FADED)
            if theme == "light":
                # On a phone, too: there tables and charts scroll, and the keyboard has to reach them.
                found += faults(visitor)
            elif size == "desktop":
                found += faults(visitor, runOnly={"type": "rule", "values": ["color-contrast"]})
            if IMAGES and f"{name}-{size}-{theme}" in SHOWN:
                visitor.picture(Path(IMAGES) / f"{name}-{size}-{theme}.webp")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > viewport["width"]:
            found.append(f"{visitor.path}: {width} pixels wide on a {size}")
        if size == "desktop" and page.evaluate(HIDDEN_COLUMNS):
            found.append(f"{visitor.path}: columns of the list are hidden on a {size}")
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    return found


STRANGERS = {
    "home": "/",
    "log-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "password-reset": "/accounts/password/reset/",
    "api-docs": "/docs",
}
OWN = {
    "devices": "/devices/",
    "sign-out-one": "/devices/{unusual}/sign-out/",
    "sign-out-others": "/devices/sign-out-others/",
    "activity": "/devices/{unusual}/",
    "confirm": "/devices/confirm/",
    "notifications": "/devices/notifications/",
    "was-this-you": "/devices/review/?token={question}",
    "take-account-back": "{recovery}",
    "home-signed-in": "/",
    "email": "/accounts/email/",
    "password-change": "/accounts/password/change/",
    "second-factor": "/accounts/2fa/",
    "reauthenticate": "/accounts/reauthenticate/",
    "other-sites": "/accounts/3rdparty/",
    "log-out": "/accounts/logout/",
    "authenticator-app": "/accounts/2fa/totp/activate/",
    "passkey": "/accounts/2fa/webauthn/add/",
}


STAFF = {
    "admin": "/admin/",
    "admin-dashboard": "/admin/devices/devicesession/dashboard/",
    "admin-sessions": "/admin/devices/devicesession/",
    "admin-session": "/admin/devices/devicesession/{unusual}/change/",
    "admin-activity": "/admin/devices/activity/",
    "admin-failures": "/admin/devices/failedlogin/",
    "admin-user": "/admin/accounts/user/{user}/change/",
}


# What a page draws when it is there.
DRAWN = {"/docs": ".opblock"}


def walk(visitor, pages, **ids):
    found = []
    for name, path in pages.items():
        visitor.go(path.format(**ids))
        if visitor.path != path.format(**ids):
            found.append(f"{path} led to {visitor.path}")
        if path in DRAWN:
            visitor.page.wait_for_selector(DRAWN[path])
        found += look(visitor, name)
    return found


@pytest.fixture(autouse=True)
def no_limit(settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": None}


def test_pages_for_strangers(drive):
    assert drive(lambda visit: walk(visit(), STRANGERS)) == []


def test_pages_of_ones_own(drive, make_user):
    user = make_user()
    # Before that, nobody can have a second factor.
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    EmailAddress.objects.create(user=user, email="other@example.org", verified=True)
    unusual = scenes.alice(user)
    back = recovery.url_for(user.pk, user.email).partition("devices.test")[2]

    def journey(visit):
        visitor = visit().sign_in(user.email, PASSWORD)
        question = review_links.token_of(unusual.pk)
        return walk(visitor, OWN, unusual=unusual.pk, question=question, recovery=back)

    assert drive(journey) == []


def test_few_and_many_devices(drive, make_user):
    newcomer, collector = make_user("new@example.org"), make_user("many@example.org")
    scenes.sixty(collector)

    def journey(visit):
        one = visit().sign_in(newcomer.email, PASSWORD)
        many = visit().sign_in(collector.email, PASSWORD)
        return walk(one, {"devices-one": "/devices/"}) + walk(many, {"devices-sixty": "/devices/"})

    assert drive(journey) == []


WIDTHS = (360, 390, 768, 1280, 1920)
# What can be reached by Tab within the page.
TAB_STOPS = """
[...document.querySelectorAll("main :is(a[href], button, input:not([type=hidden]), summary)")]
  .filter((each) => each.checkVisibility() && each.tabIndex >= 0).length
"""
# A third of what 60 sessions took before: of 14,895 pixels at a desk, 24,261 on a phone, and 317 stops.
TALLEST, TALLEST_ON_PHONES, MOST_STOPS, MOST_BYTES = 4_965, 8_087, 105, 60_000


def test_sixty_devices_fit_on_a_page_of_any_width_in_either_direction(drive, make_user):
    collector = make_user("many@example.org")
    scenes.sixty(collector)
    scenes.past(collector, scenes.FIREFOX, "177.32.90.14", began=0.2, last=0.1, city="São Paulo")

    def journey(visit):
        visitor = visit().sign_in(collector.email, PASSWORD).go("/devices/")
        page, found = visitor.page, []
        length = len(page.request.get(visitor.path).body())
        # With what was not used for long, as well.
        page.locator(".devices-fold > summary").click()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for direction in ("ltr", "rtl"):
                page.evaluate("(direction) => { document.dir = direction }", direction)
                wide, tall = page.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
                )
                found.append((width, direction, wide, tall))
        return length, page.evaluate(TAB_STOPS), found

    length, stops, found = drive(journey)
    print(length, "bytes,", stops, "tab stops,", found)
    assert length < MOST_BYTES
    assert stops <= MOST_STOPS
    for width, direction, wide, tall in found:
        assert wide <= width, (width, direction)
        assert tall <= (TALLEST if width >= 768 else TALLEST_ON_PHONES), (width, direction)


def test_pages_of_staff(drive, make_user):
    admin = make_user("root@example.org", is_staff=True, is_superuser=True)
    user = make_user()
    unusual = scenes.alice(user)
    scenes.sixty(make_user("many@example.org"))
    for address in ("2001:db8:3f:1c02:9a31:77ff:fe20:1b", "41.58.3.1"):
        security_log.log(Event.LOGIN_FAILED, user_id=user.pk, client=Client(address, ""))

    def journey(visit):
        visitor = visit().sign_in(admin.email, PASSWORD)
        return walk(visitor, STAFF, unusual=unusual.pk, user=user.pk)

    assert drive(journey) == []
