"""docs/pages.md: the pages, the properties and the policy are those of the code."""

import re
from pathlib import Path

from django.conf import settings
from django.urls import get_resolver

ROOT = Path(settings.BASE_DIR)
TEXT = (ROOT / "docs/pages.md").read_text()


def test_it_names_every_page_of_the_app():
    found = next(each for each in get_resolver().url_patterns if str(each.pattern) == "devices/")
    paths = {f"/devices/{pattern.pattern}" for pattern in found.url_patterns}
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", path).replace("{pk}", "{id}") for path in paths}
    assert set(re.findall(r"^\| `(/devices/\S*)`", TEXT, re.MULTILINE)) == served


def test_it_names_every_property_of_the_style_sheet():
    css = (ROOT / "devices/static/devices/devices.css").read_text()
    told = set(re.findall(r"`(--devices-[\w-]+)`", TEXT))
    assert told == set(re.findall(r"(--devices-[\w-]+):", css))
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= told


def test_it_shows_the_policy_that_is_sent(client, db):
    sent = client.get("/")["Content-Security-Policy"]
    shown = " ".join(re.findall(r"^    (.*)$", TEXT, re.MULTILINE))
    assert set(shown.split("; ")) == set(sent.split("; "))


def test_its_pictures_are_there_and_small():
    pictures = list((ROOT / "docs/images").glob("*.webp"))
    documents = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    text = "".join(path.read_text() for path in documents)
    assert {path.name for path in pictures} == set(re.findall(r"images/([\w-]+\.webp)", text))
    assert sum(path.stat().st_size for path in pictures) < 500_000
