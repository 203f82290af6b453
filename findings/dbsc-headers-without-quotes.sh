#!/usr/bin/env bash
# Chromium sends the headers of Device Bound Session Credentials without the quotes that make them strings.
#
# Guess: `Sec-Secure-Session-Id` and `Secure-Session-Response` are strings of RFC 9651, as the draft has them; a library
# for structured fields reads both.
# Seen: both come bare. http-sfv takes the proof for a token, and cannot read a name that begins with a digit, as half
# of all UUIDs do. `Secure-Session-Skipped` has its quotes.
#
# Draft: https://w3c.github.io/webappsec-dbsc/ of 17 February 2026. Needs Chromium (Debian: chromium) and certutil
# (libnss3-tools); the package playwright drives it.
command -v certutil >/dev/null || { echo "needs certutil"; exit 2; }
source "$(dirname "$0")/chromium_lab.sh" cryptography==50.0.2 http-sfv==0.9.9
"$python" - <<'PYTHON'
import os
from importlib.metadata import version

import http_sfv
from playwright.sync_api import sync_playwright

from dbsc_lab import Site, launch

site = Site(os.environ["FOLDER"])
site.session, site.age = "0b7d2f0e-5f0e-4c2e-9d52-5a3d7c1f8a11", 1
with sync_playwright() as playwright:
    browser = launch(playwright, site)
    print("Chromium", browser.version, "http-sfv", version("http-sfv"))
    page = browser.new_context().new_page()
    page.goto(site.url + "/login")
    page.wait_for_timeout(2000)
    page.goto(site.url + "/page")
    browser.close()


def read(header):
    item = http_sfv.Item()
    try:
        item.parse(header.encode())
    except ValueError as error:
        return f"unreadable ({error})"
    return type(item.value).__name__


last = site.seen("/refresh")[-1]
name, proof = last.headers["Sec-Secure-Session-Id"], last.headers["Secure-Session-Response"]
print(f"Sec-Secure-Session-Id: {name}\n  {read(name)}")
print(f"Secure-Session-Response: {proof[:40]}…\n  {read(proof)}")
assert name == site.session and read(name).startswith("unreadable"), "the behaviour has changed"
assert proof.startswith("eyJ") and read(proof) == "Token", "the behaviour has changed"
PYTHON
