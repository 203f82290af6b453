"""Signing in over plain HTTP on this machine, and out beside what others keep in Chromium."""

import json

import pytest
from django.http import HttpResponse, JsonResponse
from django.urls import include, path

from devices.models import DeviceSession
from tests.client import PASSWORD

pytestmark = pytest.mark.urls(__name__)

ENTRIES = 60
# Of 64 kB, which no cache makes smaller.
LARGE = bytes(range(256)) * 256

asked: list[int] = []


def large(request, number):
    """A file of the other site, for a year."""
    asked.append(number)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return HttpResponse(LARGE, content_type="application/octet-stream", headers=headers)


def blank(request):
    return HttpResponse("<!doctype html><title>App</title><body>")


urlpatterns = [
    path("large/<int:number>", large),
    path("blank", blank),
    path("favicon.ico", lambda request: JsonResponse({})),
    path("", include("project.urls")),
]

FILL = """async (entries) => {
  for (let n = 0; n < entries; n++) await (await fetch(`/large/${n}`)).arrayBuffer();
}"""
# A single-page app: it signs in to the API, and stores what it has.
KEEP = """async (credentials) => {
  const answer = await fetch("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(credentials),
  });
  localStorage.setItem("tokens", await answer.text());
  const opened = indexedDB.open("drafts", 1);
  opened.onupgradeneeded = () => opened.result.createObjectStore("drafts");
  await new Promise((done) => { opened.onsuccess = done; });
  const change = opened.result.transaction("drafts", "readwrite");
  change.objectStore("drafts").put("unsent", "letter");
  await new Promise((done) => { change.oncomplete = done; });
  opened.result.close();
}"""
KEPT = """async () => {
  const databases = (await indexedDB.databases()).map((each) => each.name);
  return [localStorage.getItem("tokens"), databases];
}"""


def test_cookies_for_https_alone_are_kept_on_localhost(drive, alice, live_server):
    assert live_server.url.startswith("http://localhost:")

    def look(visit):
        visitor = visit().sign_in("alice@example.org", PASSWORD).go("/devices/")
        cookies = {each["name"]: each["secure"] for each in visitor.context.cookies()}
        return visitor.path, cookies

    path, cookies = drive(look)
    assert path == "/devices/"
    assert cookies["__Host-sessionid"]
    assert all(cookies.values())


def story(visit):
    """How many files the other site's pages ask for again after the sign-out, and what the app has left."""
    visitor = visit()
    credentials = {"email": "alice@example.org", "password": PASSWORD}
    app = visitor.context.new_page()
    app.goto("/blank")
    app.evaluate(KEEP, credentials)
    # Another site: neither host nor cache are shared.
    elsewhere = visitor.context.new_page()
    elsewhere.goto(app.url.replace("localhost", "127.0.0.1"))
    elsewhere.evaluate(FILL, ENTRIES)
    visitor.sign_in(credentials["email"], credentials["password"]).go("/accounts/logout/")
    asked.clear()
    visitor.press("Sign Out", within="main")
    elsewhere.evaluate(FILL, ENTRIES)
    return len(asked), app.evaluate(KEPT)


def test_it_takes_nothing_of_the_origin_or_of_others_along(drive, alice, client):
    again, (tokens, databases) = drive(story)
    assert again == 0
    assert databases == ["drafts"]
    access = json.loads(tokens)["access_token"]
    answer = client.get("/api/sessions", headers={"Authorization": f"Bearer {access}"})
    assert [row["is_current"] for row in answer.json()] == [True]
    assert DeviceSession.objects.active().count() == 1


def test_a_project_that_asks_for_it_has_its_origin_cleared(drive, alice, settings):
    """What the other test would notice."""
    settings.DEVICES = {**settings.DEVICES, "CLEAR_SITE_DATA": ["cache", "storage"]}
    _, kept = drive(story)
    assert kept == [None, []]
