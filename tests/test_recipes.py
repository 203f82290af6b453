"""The recipes are played: their blocks become files, and run against a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from devices.models import DeviceSession
from tests import npm
from tests.client import PASSWORD

RECIPES = Path(settings.BASE_DIR) / "docs" / "recipes"
# Pinned, since npm has no lock here.
NPM = ("axios@1.12.2", "react@19.1.1", "react-dom@19.1.1", "jsdom@26.1.0")
# What a tab has and Node has not: a storage that its tabs share. And a count of what is sent.
BROWSER = """
import { readFileSync, writeFileSync } from "node:fs";
const kept = new Map();
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
  removeItem: (key) => kept.delete(key),
};
export const sent = [];
export const network = { status: null };
const real = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  sent.push(new URL(url).pathname);
  if (network.status && url.endsWith("/token/refresh")) return new Response("{}", network);
  return real(url, options);
};
export const refreshes = () => sent.filter((path) => path.endsWith("/token/refresh")).length;
export const expireAccess = ({ get, set }) => set({ ...get(), access: get().access + "x" });
"""


def blocks(recipe: str) -> dict[str, str]:
    """What a recipe puts into which file: `// auth.js`."""
    text = (RECIPES / f"{recipe}.md").read_text()
    return dict(re.findall(r"```js\n// (\w+\.js)\n(.*?)```", text, re.DOTALL))


@pytest.fixture
def node(tmp_path, live_server):
    """node(story): run the story beside the files of the recipe; what it prints as JSON."""
    if not shutil.which("node"):
        pytest.skip("NO NODE: the JavaScript of the recipes is not run")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "browser.js").write_text(BROWSER)
    for name, code in blocks("javascript").items():
        (tmp_path / name).write_text(code.replace("https://api.example.org", live_server.url))

    def node(story: str):
        (tmp_path / "story.js").write_text(story)
        done = subprocess.run(
            ["node", "story.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return node


@pytest.fixture
def packages(tmp_path):
    npm.install(tmp_path, NPM, "axios and React are not tried")


SIGN_IN = f"""
import {{ expireAccess, network, refreshes, sent }} from "./browser.js";
const {{ SignedOut, api, login, logout, onChange, tokens }} = await import("./auth.js");
await login("alice@example.org", "{PASSWORD}");
"""


def test_requests_that_are_refused_together_share_one_refresh(node, alice):
    story = """
    expireAccess(tokens);
    const all = await Promise.all(Array.from({ length: 20 }, () => api("/me")));
    console.log(JSON.stringify({ statuses: all.map((each) => each.status), refreshes: refreshes() }));
    """
    assert node(SIGN_IN + story) == {"statuses": [200] * 20, "refreshes": 1}
    assert DeviceSession.objects.get().revoked_at is None


def test_two_tabs_that_refresh_at_once_both_stay_signed_in(node, alice):
    story = """
    const other = await import("./auth.js?tab=2");
    const statuses = [];
    for (let i = 0; i < 10; i++) {
      expireAccess(tokens);
      const both = await Promise.all([api("/me"), other.api("/me")]);
      statuses.push(...both.map((each) => each.status));
    }
    console.log(JSON.stringify(statuses));
    """
    assert node(SIGN_IN + story) == [200] * 20
    assert DeviceSession.objects.get().revoked_at is None


def test_a_session_that_was_ended_elsewhere_signs_the_page_out(node, alice):
    story = """
    const seen = [];
    onChange(() => seen.push(tokens.get()));
    const held = tokens.get();
    await api("/sessions/current", { method: "DELETE" });
    const answers = [];
    for (const access of [held.access, held.access + "x"]) {
      tokens.set({ ...held, access });
      answers.push(await api("/me").catch((error) => [error instanceof SignedOut, error.message]));
    }
    console.log(JSON.stringify({ answers, left: tokens.get(), last: seen.at(-1) }));
    """
    ended = [True, "session_revoked"]
    assert node(SIGN_IN + story) == {"answers": [ended, ended], "left": None, "last": None}


def test_an_outage_signs_nobody_out(node, alice):
    story = """
    expireAccess(tokens);
    network.status = 503;
    const during = await api("/me").catch((error) => error.message);
    network.status = null;
    const after = await api("/me");
    console.log(JSON.stringify([during, after.status]));
    """
    assert node(SIGN_IN + story) == ["refresh failed: 503", 200]


def test_a_wrong_password_and_a_logout_are_told(node, alice):
    story = """
    await logout();
    const left = tokens.get();
    const code = await login("alice@example.org", "wrong").catch((error) => error.code);
    console.log(JSON.stringify([left, code]));
    """
    assert node(SIGN_IN + story) == [None, "no_active_account"]
    assert DeviceSession.objects.get().revoke_reason == "logout"


def test_axios_refreshes_once_and_tells_the_end(node, packages, alice):
    story = """
    const { http } = await import("./http.js");
    expireAccess(tokens);
    const all = await Promise.all(Array.from({ length: 20 }, () => http.get("/me")));
    const ended = await (async () => {
      await http.delete("/sessions/current");
      return http.get("/me").catch((error) => [error instanceof SignedOut, error.message]);
    })();
    const statuses = all.map((each) => each.status);
    console.log(JSON.stringify({ statuses, refreshes: refreshes(), ended, left: tokens.get() }));
    """
    assert node(SIGN_IN + story) == {
        "statuses": [200] * 20,
        "refreshes": 1,
        "ended": [True, "session_revoked"],
        "left": None,
    }


def test_react_renders_again_when_the_session_ends(node, packages, alice):
    story = """
    const { JSDOM } = await import("jsdom");
    const dom = new JSDOM("<div></div>");
    Object.assign(globalThis, { window: dom.window, document: dom.window.document });
    Object.defineProperty(globalThis, "navigator", { value: dom.window.navigator });
    globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    const { act, createElement } = await import("react");
    const { createRoot } = await import("react-dom/client");
    const { useSignedIn } = await import("./useSignedIn.js");
    const page = () => createElement("b", null, useSignedIn() ? "in" : "out");
    const box = document.querySelector("div");
    await act(() => createRoot(box).render(createElement(page)));
    const before = box.textContent;
    await act(logout);
    console.log(JSON.stringify([before, box.textContent]));
    """
    assert node(SIGN_IN + story) == ["in", "out"]
