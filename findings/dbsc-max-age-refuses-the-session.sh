#!/usr/bin/env bash
# `Max-Age` among the attributes of a bound cookie makes Chromium refuse the session, without a word.
#
# Guess: `attributes` is the tail of the Set-Cookie line; the draft says that Max-Age and Expires in it are ignored.
# Seen: with either the registration fails (InvalidCredentialsCookieUnpermittedAttribute), after the server has bound
# the session: it waits for a bound cookie that nobody renews. Only the developer tools tell.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2
"$python" - <<'PYTHON'
import os

from playwright.sync_api import sync_playwright

from dbsc_lab import ATTRIBUTES, Site, launch, told

EXPECTED = {
    ATTRIBUTES: "Success",
    f"{ATTRIBUTES}; Max-Age=600": "InvalidCredentialsCookieUnpermittedAttribute",
    f"{ATTRIBUTES}; Expires=Wed, 09 Jun 2027 10:18:14 GMT": "InvalidCredentialsCookieUnpermittedAttribute",
}
site = Site(os.environ["FOLDER"])
seen = {}
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version)
    for site.attributes in EXPECTED:
        page = browser.new_context().new_page()
        events = told(page)
        page.goto(site.url + "/login")
        page.wait_for_timeout(800)
        [seen[site.attributes]] = [
            each["creationEventDetails"]["fetchResult"] for each in events if "creationEventDetails" in each
        ]
        print(f"{site.attributes}: {seen[site.attributes]}")
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
