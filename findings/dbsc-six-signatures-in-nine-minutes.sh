#!/usr/bin/env bash
# Chromium signs at most six times in nine minutes for all of a site, logins included, and then stops without a word.
#
# Guess: a bound cookie may be as short as one likes, and each login is bound.
# Seen: registrations and refreshes share six signatures in nine minutes for a registrable domain with all its hosts
# and ports. The seventh login in a row is not bound, and no request tells the server. A cookie that lives for two
# seconds is renewed five times; then requests come without it, with `Secure-Session-Skipped: quota_exceeded`. It renews
# up to two minutes ahead, so a cookie should live for five minutes at least.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2
"$python" - <<'PYTHON'
import os

from playwright.sync_api import sync_playwright

from dbsc_lab import COOKIE, Site, cookies, launch

site = Site(os.environ["FOLDER"])
with sync_playwright() as playwright:
    browser = launch(playwright, site, "DeviceBoundSessions")
    print("Chromium", browser.version)
    page = browser.new_context().new_page()
    for number in range(8):
        site.session = f"session{number}"
        page.goto(site.url + "/login")
        page.wait_for_timeout(500)
    registered = len(site.seen("/register"))
    print(f"8 logins: {registered} registered")

    site.asked.clear()
    site.age, site.session = 2, "session"
    page = browser.new_context().new_page()
    page.goto(site.url + "/login")
    page.wait_for_timeout(500)
    for number in range(7):
        page.wait_for_timeout(2200)
        page.goto(f"{site.url}/page{number}")
        page.wait_for_timeout(200)
    browser.close()
pages = [request for request in site.asked if request.path.startswith("/page")]
bare = [request for request in pages if COOKIE not in cookies(request)]
reasons = {request.headers["Secure-Session-Skipped"] for request in bare}
print(f"7 pages after the expiry: {site.renewals} renewals, {len(bare)} pages without the cookie, {reasons}")
assert (registered, site.renewals, len(bare) > 0) == (6, 5, True), "the behaviour has changed"
assert reasons == {'quota_exceeded;session_identifier="session"'}, "the behaviour has changed"
PYTHON
