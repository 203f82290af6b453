#!/usr/bin/env bash
# A rate limit at the refresh endpoint of Device Bound Session Credentials ends the session in Chromium.
#
# Guess: 429 is "come back later", and the draft says so: at 407 and 429 the session stays as it is.
# Seen: Chromium deletes the session and its key, as at any other 4xx; 503 keeps both. So a proxy or a throttle that
# answers 429 there signs people out of their bound sessions for good. Limit with 503, or not at all.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2
"$python" - <<'PYTHON'
import os

from playwright.sync_api import sync_playwright

from dbsc_lab import Site, launch, told

EXPECTED = {429: ["RefreshFatalError"], 404: ["RefreshFatalError"], 503: []}
site = Site(os.environ["FOLDER"])
seen = {}
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version)
    for status in EXPECTED:
        site.age = 1
        site.rules.pop("/refresh", None)
        page = browser.new_context().new_page()
        events = told(page)
        page.goto(site.url + "/login")
        page.wait_for_timeout(2000)
        site.rules["/refresh"] = lambda request, status=status: (status, [], b"")
        page.goto(site.url + "/page")
        page.wait_for_timeout(300)
        endings = [each["terminationEventDetails"] for each in events if "terminationEventDetails" in each]
        seen[status] = [each["deletionReason"] for each in endings]
        print(f"{status} at the refresh: session {'ended, ' + seen[status][0] if seen[status] else 'goes on'}")
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
