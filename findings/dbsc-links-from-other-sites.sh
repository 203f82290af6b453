#!/usr/bin/env bash
# A link from another site does not renew a bound cookie in Chromium; where it may, the renewal comes without cookies.
#
# Guess: whoever follows a link comes with all cookies of SameSite=Lax, the bound one renewed if it had expired.
# Seen: the page is asked for with the login cookie and without the bound one, and with no `Secure-Session-Skipped`: it
# looks like a stolen cookie. With `allowed_refresh_initiators: ["*"]` the cookie is renewed first. That renewal has no
# cookie at all (so the session has to be told by its headers or its URL), says `Sec-Fetch-Site: same-origin`, and its
# Set-Cookie with SameSite=Lax counts nevertheless.
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
site.age = 1
EXPECTED = {"nobody": (None, {"login"}), "*": (set(), {"login", COOKIE})}
seen = {}
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version)
    for allowed in EXPECTED:
        site.more = {"allowed_refresh_initiators": [allowed]} if allowed == "*" else {}
        page = browser.new_context().new_page()
        page.goto(site.url + "/login")
        page.wait_for_timeout(2000)
        page.goto(site.elsewhere + "/elsewhere")
        site.asked.clear()
        page.evaluate("url => { location.href = url }", f"{site.url}/linked")
        page.wait_for_url("**/linked")
        # What comes behind the page renews ahead of the next expiry.
        [linked] = site.seen("/linked")
        before = [cookies(request) for request in site.asked[: site.asked.index(linked)]]
        renewal = set().union(*before) if before else None
        seen[allowed] = renewal, cookies(linked)
        print(f"may renew: {allowed}; cookies of the renewal: {renewal}, of the page: {sorted(cookies(linked))}")
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
