#!/usr/bin/env bash
# Of two bound sessions with the same cookie Chromium renews the one whose name sorts first, and never the other.
#
# Guess: whoever signs in again registers a new session, which renews the cookie from then on.
# Seen: both stay. The one whose name sorts first is asked and sets the cookie, and so the other has nothing to renew:
# a new login may get the cookies of the one before for as long as that is alive. End that with `continue: false`, and
# the same request asks the other. Give each session a cookie of its own name.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2
"$python" - <<'PYTHON'
import json
import os

from playwright.sync_api import sync_playwright

from dbsc_lab import ATTRIBUTES, COOKIE, Site, launch

site = Site(os.environ["FOLDER"])


def expired(request):
    """A page whose answer deletes the cookie, and leads on."""
    return 307, [("Location", "/page"), ("Set-Cookie", f"{COOKIE}=; Max-Age=0; {ATTRIBUTES}")], b""


def ended(request):
    if "a-" in request.headers["Sec-Secure-Session-Id"]:
        told = {"session_identifier": request.headers["Sec-Secure-Session-Id"].strip('"'), "continue": False}
        return 200, [("Content-Type", "application/json")], json.dumps(told).encode()
    return site.refresh(request)


def asked(page):
    site.asked.clear()
    page.goto(site.url + "/expired")
    found = [request.headers["Sec-Secure-Session-Id"].strip('"') for request in site.seen("/refresh")]
    return list(dict.fromkeys(found))


EXPECTED = {
    ("a-older", "b-newer"): (["a-older"], ["a-older", "b-newer"]),
    ("b-older", "a-newer"): (["a-newer"], ["a-newer", "b-older"]),
}
seen = {}
site.rules["/expired"] = expired
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version)
    for names in EXPECTED:
        site.rules.pop("/refresh", None)
        page = browser.new_context().new_page()
        for site.session in names:
            page.goto(site.url + "/login")
            page.wait_for_timeout(600)
        both = asked(page)
        site.rules["/refresh"] = ended
        seen[names] = both, asked(page)
        print("{}: asked {}; when that one has ended {}".format(" and ".join(names), *seen[names]))
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
