"""The recipes are played: their blocks become files, and run against a real server."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from devices.models import DeviceSession
from tests import npm
from tests.client import PASSWORD

RECIPES = Path(settings.BASE_DIR) / "docs" / "recipes"
# Pinned, since npm has no lock here.
NPM = ("axios@1.12.2", "react@19.1.1", "react-dom@19.1.1", "jsdom@26.1.0")
# What a tab has and Node has not: a storage that its tabs share. And a count of what is sent. The network can
# answer instead of the server, not answer at all (status 0), and hold an answer back.
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
const held = {};
globalThis.fetch = async (resource, options) => {
  const path = new URL(resource.url ?? resource).pathname;
  sent.push(path);
  if (network.status === 0) throw new TypeError("fetch failed");
  if (network.status && path.includes("/token/")) return new Response("{}", network);
  const { reach, wait } = held[path] ?? {};
  delete held[path];
  const answer = await real(resource, options);
  reach?.();
  await wait;
  return answer;
};
// The next answer from this path waits until it is let go.
export function hold(path) {
  const hold = {};
  const reached = new Promise((reach) => Object.assign(hold, { reach }));
  hold.wait = new Promise((letGo) => Object.assign(hold, { letGo }));
  held[path] = hold;
  return { reached, letGo: hold.letGo };
}
export const refreshes = () => sent.filter((path) => path.endsWith("/token/refresh")).length;
export const expireAccess = ({ get, set }) => set({ ...get(), access: get().access + "x" });
"""


def blocks(recipe: str) -> dict[str, str]:
    """What a recipe puts into which file: `// auth.js`, `// app/page.js`."""
    text = (RECIPES / f"{recipe}.md").read_text()
    return dict(re.findall(r"```jsx?\n// (\S+\.js)\n(.*?)```", text, re.DOTALL))


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
        (tmp_path / "story.js").write_text(
            story.replace("https://api.example.org", live_server.url)
        )
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
import {{ expireAccess, hold, network, refreshes, sent }} from "./browser.js";
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


def test_a_logout_needs_no_valid_access_token_and_nobody_signed_in(node, alice):
    story = """
    const { refresh } = tokens.get();
    expireAccess(tokens);
    await logout();
    await logout();
    const url = "https://api.example.org/api/token/refresh";
    const headers = { "Content-Type": "application/json" };
    const again = await fetch(url, { method: "POST", headers, body: JSON.stringify({ refresh }) });
    console.log(JSON.stringify([tokens.get(), again.status, (await again.json()).code]));
    """
    assert node(SIGN_IN + story) == [None, 401, "session_revoked"]
    assert DeviceSession.objects.get().revoke_reason == "logout"


def test_a_logout_that_the_server_does_not_confirm_is_none(node, alice):
    story = """
    const told = [];
    for (network.status of [503, 0]) {
      told.push(await logout().catch((error) => error.message));
    }
    network.status = null;
    const still = await api("/me");
    await logout();
    console.log(JSON.stringify([told, still.status, tokens.get()]));
    """
    assert node(SIGN_IN + story) == [["sign-out failed: 503", "fetch failed"], 200, None]
    assert DeviceSession.objects.get().revoke_reason == "logout"


@pytest.mark.parametrize("client", ["fetch", "axios"])
def test_a_late_answer_does_not_touch_the_next_session(
    node, request, settings, alice, mallory, client
):
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": timedelta(0)}
    if client == "axios":
        request.getfixturevalue("packages")
        ask = """
        const { http } = await import("./http.js");
        const ask = (url, { method, body } = {}) =>
          http.request({ url, method, data: body && JSON.parse(body), adapter: "fetch" });
        """
    else:
        ask = "const ask = api;"
    story = f"""
    const other = await import("./auth.js?tab=2");
    const enter = (name) => other.login(`${{name}}@example.org`, "{PASSWORD}");
    const told = (error) => (error instanceof SignedOut ? "signed out" : String(error));
    const me = () => api("/me").then((answer) => answer.json());
    const who = () => me().then(({{ email }}) => email, told);
    const seen = {{}};
    """
    story += """
    // Another device has ended the session.
    await api("/sessions/current", { method: "DELETE" });
    let slow = hold("/api/me");
    let late = ask("/me").catch(told);
    await slow.reached;
    await enter("mallory");
    slow.letGo();
    seen["a request of an ended session"] = [await late, await who()];

    for (const next of [() => enter("mallory"), logout]) {
      await enter("alice");
      expireAccess(tokens);
      slow = hold("/api/token/refresh");
      late = ask("/me").catch(told);
      await slow.reached;
      await next();
      slow.letGo();
      seen[next === logout ? "a refresh, then a sign-out" : "a refresh, then a sign-in"] =
        [await late, await who()];
    }

    const patch = {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: "Alice's" }),
    };
    for (const [name, path, options] of [
      ["a request that could be repeated", "/sessions/current", patch],
      ["a request that asks for the password", "/sessions/revoke-all", { method: "POST" }],
    ]) {
      await enter("alice");
      if (options === patch) expireAccess(tokens);
      slow = hold("/api" + path);
      late = ask(path, options).catch(told);
      await slow.reached;
      await enter("mallory");
      slow.letGo();
      seen[name] = [await late, await who()];
    }

    await enter("alice");
    slow = hold("/api/token/blacklist");
    late = logout();
    await slow.reached;
    await enter("mallory");
    slow.letGo();
    seen["a sign-out"] = [(await late) ?? null, await who()];
    console.log(JSON.stringify(seen, (key, value) => (value?.status ? value.status : value)));
    """
    assert node(SIGN_IN + ask + story) == {
        "a request of an ended session": ["signed out", "mallory@example.org"],
        "a refresh, then a sign-in": ["signed out", "mallory@example.org"],
        "a refresh, then a sign-out": ["signed out", "signed out"],
        "a request that could be repeated": ["signed out", "mallory@example.org"],
        "a request that asks for the password": ["signed out", "mallory@example.org"],
        "a sign-out": [None, "mallory@example.org"],
    }
    assert not DeviceSession.objects.exclude(name="").exists()
    # The end of the first session, and both sign-outs: one although a refresh was under way.
    ended = DeviceSession.objects.exclude(revoked_at=None)
    assert [each.revoke_reason for each in ended] == ["logout"] * 3


def test_headers_come_in_each_form_that_fetch_takes(node, alice):
    story = """
    const type = ["Content-Type", "application/json"];
    const statuses = [];
    for (const headers of [{ [type[0]]: type[1] }, [type], new Headers([type])]) {
      expireAccess(tokens);
      const body = JSON.stringify({ name: "mine" });
      const answer = await api("/sessions/current", { method: "PATCH", headers, body });
      statuses.push(answer.status);
    }
    console.log(JSON.stringify([statuses, (await api("/me")).status]));
    """
    assert node(SIGN_IN + story) == [[200] * 3, 200]


@pytest.mark.parametrize("adapter", ["http", "fetch"])
def test_axios_refreshes_whatever_the_type_of_the_response(node, packages, alice, adapter):
    story = f"""
    const {{ http }} = await import("./http.js");
    http.defaults.adapter = "{adapter}";
    """
    story += """
    const types = ["json", "text", "blob", "arraybuffer", "stream"];
    const statuses = [], refused = [], ended = [];
    for (const responseType of types) {
      expireAccess(tokens);
      const answer = await http.get("/me", { responseType }).catch((error) => error.response);
      statuses.push(answer.status);
    }
    for (const responseType of types) {
      const wrong = { email: "alice@example.org", password: "wrong" };
      const answer = http.post("/login", wrong, { responseType });
      refused.push(await answer.catch(({ response }) => response.data.code));
    }
    const held = tokens.get();
    await api("/sessions/current", { method: "DELETE" });
    for (const responseType of types) {
      tokens.set(held);
      const answer = http.get("/me", { responseType });
      ended.push(await answer.catch((error) => error instanceof SignedOut && error.message));
    }
    console.log(JSON.stringify({ statuses, refused, ended }));
    process.exit();
    """
    assert node(SIGN_IN + story) == {
        "statuses": [200] * 5,
        "refused": ["no_active_account"] * 5,
        "ended": ["session_revoked"] * 5,
    }


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
