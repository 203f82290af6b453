"""Turbo, Unpoly and htmx put a part of a page in the place of another, and run its scripts again."""

from tests.client import PASSWORD

REPLACE = """async () => {
  const main = document.querySelector("main");
  const next = main.cloneNode(true);
  for (const time of next.querySelectorAll("time")) time.removeAttribute("title");
  const given = next.querySelector("script[src*='devices.js']");
  const script = document.createElement("script");
  script.src = given.src;
  const loaded = new Promise((done) => { script.onload = done; });
  given.replaceWith(script);
  main.replaceWith(next);
  await loaded;
  return [...next.querySelectorAll("time:not(.devices-exact)")].every((time) => time.title);
}"""
LONGER_THAN_A_QUESTION_WAITS = 4500  # milliseconds


def test_a_page_in_the_place_of_another_is_as_one_that_was_opened(drive, alice):
    def look(visit):
        visitor = visit().sign_in("alice@example.org", PASSWORD).go("/devices/")
        has_times = [visitor.page.evaluate(REPLACE) for _ in range(2)]
        asked = []
        visitor.page.on("request", lambda sent: asked.append(sent.url))
        visitor.page.wait_for_timeout(LONGER_THAN_A_QUESTION_WAITS)
        return has_times, [url for url in asked if "/watch/" in url], visitor.complaints

    has_times, asked, complaints = drive(look)
    assert has_times == [True, True]
    assert len(asked) == 1
    assert complaints == []


def test_forms_are_not_for_turbo_and_htmx_which_hide_what_is_wrong(drive, alice):
    def look(visit):
        visitor = visit().sign_in("alice@example.org", PASSWORD).go("/devices/")
        return visitor.page.locator("[data-watch]").evaluate("(part) => ({...part.dataset})")

    said = drive(look)
    assert (said["turbo"], said["hxBoost"]) == ("false", "false")
