#!/usr/bin/env bash
# `Clear-Site-Data: "storage"` makes Chromium forget bound sessions and their keys, and keep the cookies.
#
# Guess: what belongs to a login goes with "cookies"; "storage" is localStorage, IndexedDB and caches.
# Seen: with "storage" the browser forgets the bound session, and still sends the login cookie: a server that asks for the
# bound one sees what a stolen cookie looks like. A site that empties its storage after an update signs people out so.
# "cookies" takes both, "cache" neither.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2
"$python" - <<'PYTHON'
import os

from playwright.sync_api import sync_playwright

from dbsc_lab import Site, cookies, launch

site = Site(os.environ["FOLDER"])
site.age = 1
EXPECTED = {"storage": (False, True), "cookies": (False, False), "cache": (True, True)}
seen = {}
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version)
    for what in EXPECTED:
        page = browser.new_context().new_page()
        page.goto(site.url + "/login")
        page.wait_for_timeout(600)
        headers = [("Content-Type", "text/html"), ("Clear-Site-Data", f'"{what}"')]
        site.rules["/clear"] = lambda request, headers=headers: (200, headers, b"<link rel=icon href=data:,>")
        page.goto(site.url + "/clear")
        page.wait_for_timeout(1500)
        site.asked.clear()
        page.goto(site.url + "/page")
        [shown] = site.seen("/page")
        seen[what] = bool(site.seen("/refresh")), "login" in cookies(shown)
        print('"{}": renews the bound cookie {}, sends the login cookie {}'.format(what, *seen[what]))
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
