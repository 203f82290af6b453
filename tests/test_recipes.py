"""The recipes are played: their blocks become files, and run against a real server."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.http import StreamingHttpResponse
from django.urls import include, path

from devices.decorators import session_required
from devices.models import DeviceSession
from devices.shortcuts import while_active
from tests import npm
from tests.client import PASSWORD

RECIPES = Path(settings.BASE_DIR) / "docs" / "recipes"
# Pinned, since npm has no lock here.
NPM = ("axios@1.12.2", "react@19.1.1", "react-dom@19.1.1", "jsdom@26.1.0")
ANGULAR = ("@angular/core@21.2.26", "@angular/common@21.2.26", "@angular/compiler@21.2.26")
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
    return dict(re.findall(r"```jsx?\n// (\S+\.jsx?)\n(.*?)```", text, re.DOTALL))


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


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of what npm installs, which takes seconds."""
    folder = tmp_path_factory.mktemp("npm")
    npm.install(folder, NPM, "axios and React are not tried")
    return folder / "node_modules"


@pytest.fixture
def packages(tmp_path, installed):
    (tmp_path / "node_modules").symlink_to(installed)


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


def test_an_answer_that_comes_after_later_refreshes_of_another_tab_changes_nothing(
    node, alice, settings
):
    settings.DEVICES = {**settings.DEVICES, "REFRESH_GRACE": timedelta(0)}
    story = """
    const other = await import("./auth.js?tab=2");
    const slow = hold("/api/token/refresh");
    const { refresh } = await import("./auth.js");
    const late = refresh(tokens.get().access);
    await slow.reached;
    for (let i = 0; i < 3; i++) await other.refresh(tokens.get().access);
    slow.letGo();
    await late;
    expireAccess(tokens);
    const answer = await api("/me").catch((error) => error.message);
    console.log(JSON.stringify(answer.status ?? answer));
    """
    assert node(SIGN_IN + story) == 200
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
    const [path, url] = ["/sessions/current", "https://api.example.org/api/sessions/current"];
    const body = JSON.stringify({ name: "mine" });
    for (const headers of [{ [type[0]]: type[1] }, [type], new Headers([type])]) {
      const options = { method: "PATCH", headers, body };
      for (const given of [[path, options], [new URL(url), options], [new Request(url, options)]]) {
        expireAccess(tokens);
        statuses.push((await api(...given)).status);
      }
    }
    for (const elsewhere of ["https://example.org/api/me", "https://api.example.org/apis"]) {
      statuses.push(await api(elsewhere).catch((error) => error.name));
    }
    console.log(JSON.stringify([statuses, (await api("/me")).status]));
    """
    assert node(SIGN_IN + story) == [[200] * 9 + ["TypeError"] * 2, 200]
    assert set(DeviceSession.objects.values_list("name", flat=True)) == {"mine"}


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


# What React Native has: the packages that 0.86 is made of, and no EventTarget, as before it.
NATIVE = """
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const missing = ["fetch", "Headers", "Request", "Response", "Event", "EventTarget", "BroadcastChannel"];
void FormData; // which Node makes when it is asked for, of what goes now
for (const name of missing) delete globalThis[name];
const { AbortController, AbortSignal } = require("abort-controller");
const XMLHttpRequest = require("xhr2");
Object.assign(globalThis, { AbortController, AbortSignal, XMLHttpRequest });
require("whatwg-fetch");
"""


def test_it_runs_with_what_react_native_has(node, tmp_path, alice):
    packages = ("abort-controller@3.0.0", "whatwg-fetch@3.6.20", "xhr2@0.2.1")
    npm.install(tmp_path, packages, "what React Native has is not tried")
    (tmp_path / "native.js").write_text(NATIVE)
    story = """
    const changes = [];
    const stop = onChange(() => changes.push(Boolean(tokens.get())));
    expireAccess(tokens);
    const all = await Promise.all([api("/me"), api("/sessions"), api("/me")]);
    const seen = [all.map(({ status }) => status), refreshes()];
    const headers = { "Content-Type": "application/json" };
    expireAccess(tokens);
    const body = JSON.stringify({ name: "mine" });
    seen.push((await api("/sessions/current", { method: "PATCH", headers, body })).status);
    await logout();
    stop();
    console.log(JSON.stringify([...seen, changes.at(-1)]));
    process.exit();
    """
    assert node('import "./native.js";' + SIGN_IN + story) == [[200] * 3, 1, 200, False]
    assert DeviceSession.objects.get().name == "mine"


@pytest.mark.parametrize("adapter", ["http", "fetch"])
def test_a_stream_that_was_read_is_not_sent_again_empty(node, packages, alice, adapter):
    story = f"""
    import {{ Readable }} from "node:stream";
    const {{ http }} = await import("./http.js");
    http.defaults.adapter = "{adapter}";
    """
    story += """
    const text = JSON.stringify({ name: "mine" });
    const headers = { "Content-Type": "application/json", "Content-Length": text.length };
    const told = [];
    for (const body of [Readable.from([text]), text]) {
      expireAccess(tokens);
      const answer = http.patch("/sessions/current", body, { headers, timeout: 5000 });
      told.push(await answer.then(({ status }) => status, ({ response }) => response?.data.code));
    }
    console.log(JSON.stringify([told, refreshes()]));
    process.exit();
    """
    assert node(SIGN_IN + story) == [["token_not_valid", 200], 2]
    assert DeviceSession.objects.get().name == "mine"


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


def test_react_renders_again_when_the_session_ends_or_is_another(node, packages, alice, mallory):
    story = """
    const { JSDOM } = await import("jsdom");
    const dom = new JSDOM("<div></div>");
    Object.assign(globalThis, { window: dom.window, document: dom.window.document });
    Object.defineProperty(globalThis, "navigator", { value: dom.window.navigator });
    globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    const { act, createElement } = await import("react");
    const { createRoot } = await import("react-dom/client");
    const { useSession } = await import("./useSession.js");
    const page = () => createElement("b", null, useSession() ?? "nobody");
    const box = document.querySelector("div");
    const name = { [tokens.get().session]: "alice" };
    await act(() => createRoot(box).render(createElement(page)));
    const seen = [name[box.textContent]];
    // As a page sees it that was in the cache of the Back button meanwhile: one change.
    await act(() => login("mallory@example.org", "PASSWORD"));
    name[tokens.get().session] = "mallory";
    seen.push(name[box.textContent]);
    await act(logout);
    console.log(JSON.stringify([...seen, box.textContent]));
    """
    assert node(SIGN_IN + story.replace("PASSWORD", PASSWORD)) == ["alice", "mallory", "nobody"]


def test_public_endpoints_answer_who_is_signed_out(node, packages, live_server, alice):
    story = """
    await logout();
    const { http } = await import("./http.js");
    const answers = [await api("/schema"), await http.get("/schema")];
    for (const ask of [api, http.get]) {
      answers.push(await ask("/me").catch((error) => error instanceof SignedOut && error.message));
    }
    console.log(JSON.stringify(answers.map((each) => each.status ?? each)));
    """
    assert node(SIGN_IN + story) == [200, 200, *["not_authenticated"] * 2]


# What asks with each of these, for a path. There is no GraphQL: the API says 405 to Apollo, which posts.
ASKING = {
    "ky": "(client) => (path) => client(`${url}${path}`)",
    "ofetch": "(client) => (path) => client.raw(`${url}${path}`)",
    "@reduxjs/toolkit": """(baseQuery) => {
      const rtk = query.createApi({
        baseQuery, endpoints: (build) => ({ get: build.query({ query: (path) => path }) })
      });
      const store = toolkit.configureStore({
        reducer: { [rtk.reducerPath]: rtk.reducer },
        middleware: (standard) => standard().concat(rtk.middleware),
      });
      const { initiate } = rtk.endpoints.get;
      return (path) => store.dispatch(initiate(path, { forceRefetch: true })).unwrap();
    }""",
    "@apollo/client": """(link) => {
      const client = new apollo.ApolloClient({ link, cache: new apollo.InMemoryCache() });
      const query = apollo.gql`{ me }`;
      return () => client.query({ query, fetchPolicy: "network-only" });
    }""",
    "@urql/core": """(client) => () => client.query("{ me }", {}).toPromise()
      .then(({ error }) => { throw error.response ?? error; })""",
    "openapi-fetch": """(client) => (path) => client.GET(path)
      .then(({ response }) => { if (!response.ok) throw response; })""",
    "wretch": "(client) => (path) => client.get(path).res()",
    "@tanstack/query-core": """(options) => {
      const client = new tanstack.QueryClient();
      return () => client.fetchQuery({ queryKey: ["me"], staleTime: 0, ...options });
    }""",
}


def test_libraries_that_are_given_the_fetch_of_the_recipe(node, tmp_path, alice):
    rows = re.findall(
        r"^\| [^|]*?(@?[\w/-]+) (\d[\d.]*)\)? \| `(.*)` \|$",
        (RECIPES / "javascript.md").read_text(),
        re.MULTILINE,
    )
    assert [name for name, _, _ in rows] == list(ASKING)
    versions = [f"{name}@{version}" for name, version, _ in rows]
    npm.install(tmp_path, [*versions, "graphql@16.12.0", "rxjs@7.8.2"], "no other library is tried")
    clients = ",\n".join(f"{name!r}: ({ASKING[name]})({code})" for name, _, code in rows)
    story = f"""
    import ky from "ky";
    import {{ createFetch }} from "ofetch";
    import * as toolkit from "@reduxjs/toolkit";
    import * as query from "@reduxjs/toolkit/query";
    import * as apollo from "@apollo/client";
    import {{ Client, fetchExchange }} from "@urql/core";
    import createClient from "openapi-fetch";
    import wretch from "wretch";
    import * as tanstack from "@tanstack/query-core";
    const [url, uri, baseUrl] = ["api", "api/me", "api"].map((path) => `https://api.example.org/${{path}}`);
    const [exchanges, {{ fetchBaseQuery }}, {{ HttpLink }}] = [[fetchExchange], query, apollo];
    const clients = {{ {clients} }};
    """
    story = story.replace("new Client({ url,", "new Client({ url: uri,")
    story += """
    const { forget } = await import("./forget.js");
    const seen = {};
    for (const [name, ask] of Object.entries(clients)) {
      await login("alice@example.org", "PASSWORD");
      expireAccess(tokens);
      const before = refreshes();
      // They did not fail by a 401.
      const told = (error) => error.status ?? error.statusCode ?? String(error);
      const all = Promise.all(["/me", "/sessions", "/me"].map((path) => ask(path).then(() => 200, told)));
      const statuses = new Set(await all);
      let emptied = 0;
      const stop = forget(() => (emptied += 1));
      const counted = refreshes() - before;
      await logout();
      sent.length = 0;
      const refused = await ask("/me").then(() => 200, () => "refused");
      stop();
      seen[name] = [[...statuses], counted, refused, sent.length < 4, emptied];
    }
    console.log(JSON.stringify(seen));
    process.exit();
    """
    told = node(SIGN_IN + story.replace("PASSWORD", PASSWORD))
    assert told == {
        name: [[405 if "apollo" in name else 200], 1, "refused", True, 1] for name in ASKING
    }
    assert not DeviceSession.objects.filter(revoke_reason="reuse").exists()


@session_required
def feed(request):
    """Two events, and the end: so the client has to connect again."""
    events = while_active(request.auth, iter(["data: 1\n\n", "data: 2\n\n"]))
    return StreamingHttpResponse(events, content_type="text/event-stream")


urlpatterns = [path("api/feed", feed), path("", include("project.urls"))]


@pytest.mark.urls(__name__)
def test_a_feed_is_opened_again_until_the_session_ends(node, tmp_path, alice):
    npm.install(tmp_path, ["@microsoft/fetch-event-source@2.0.1"], "no feed is read")
    code = blocks("outside-drf")["feed.js"]
    (tmp_path / "feed.js").write_text(code.replace("5000", "50"))
    story = """
    const nothing = () => {};
    const page = { addEventListener: nothing, removeEventListener: nothing };
    Object.assign(globalThis, { window: globalThis, document: page });
    const { listen } = await import("./feed.js");
    const url = "https://api.example.org/api";
    const told = (error) => [error instanceof SignedOut, error.message];
    const asked = (name) => sent.filter((path) => path.endsWith(name)).length;
    async function until(isTrue) {
      while (!isTrue()) await new Promise((done) => setTimeout(done, 20));
    }
    const heard = [];
    const refused = await listen(`${url}/unknown`).catch(told);
    expireAccess(tokens);
    const feed = listen(`${url}/feed`, ({ data }) => heard.push(data)).catch(told);
    await until(() => heard.length > 3);
    const counted = refreshes();
    network.status = 0;
    const before = asked("/feed");
    await until(() => asked("/feed") > before + 1);
    network.status = null;
    const { refresh } = tokens.get();
    const headers = { "Content-Type": "application/json" };
    await fetch(`${url}/token/blacklist`, { method: "POST", headers, body: JSON.stringify({ refresh }) });
    const ended = await feed;
    const nobody = await listen(`${url}/feed`).catch(told);
    console.log(JSON.stringify([refused, heard.slice(0, 4), counted, ended, nobody]));
    """
    ended = [[True, "session_revoked"], [True, "session_required"]]
    assert node(SIGN_IN + story) == [[False, "404"], ["1", "2"] * 2, 1, *ended]


# The core of react-admin, without what draws it.
REACT_ADMIN = (
    "ra-core@5.15.4", "react@18.3.1", "react-dom@18.3.1", "react-router@7.18.7", "react-router-dom@7.18.7",
    "@tanstack/react-query@5.108.4", "react-hook-form@7.92.0", "jsdom@26.1.0",
)  # fmt: skip


def test_react_admin_signs_out_at_the_end_of_the_session_and_not_before(node, tmp_path, alice):
    npm.install(tmp_path, REACT_ADMIN, "react-admin is not tried")
    code = (tmp_path / "admin.js").read_text()
    (tmp_path / "admin.js").write_text(code.replace('"react-admin"', '"ra-core"'))
    story = """
    const { JSDOM } = await import("jsdom");
    const { window } = new JSDOM("", { url: "http://localhost/", pretendToBeVisual: true });
    const { document, location, history, HTMLElement } = window;
    Object.assign(globalThis, { window, document, location, history, HTMLElement });
    Object.defineProperty(globalThis, "navigator", { value: window.navigator });
    window.scrollTo = () => {};
    console.error = () => {};
    const { createElement } = await import("react");
    const { createRoot } = await import("react-dom/client");
    const admin = await import("ra-core");
    const { authProvider, httpClient } = await import("./admin.js");
    const url = "https://api.example.org/api";
    const paths = { sessions: "/sessions", more: "/sessions", denied: "/admin/sessions/revoke" };
    const errors = [];
    const getList = async (name) => {
      const options = name === "denied" ? { method: "POST", body: '{"user": 3, "dry_run": true}' } : {};
      const { json } = await httpClient(url + paths[name], options).catch((error) => {
        errors.push([error.status ?? null, error.body?.code ?? null]);
        throw error;
      });
      return { data: json, total: json.length };
    };
    function Page() {
      ["more", "denied"].forEach((name) => admin.useGetList(name, {}, { retry: false }));
      const { data } = admin.useGetList("sessions", {}, { retry: false });
      return createElement("p", null, data?.length ? "list" : "empty");
    }
    const nothing = () => null;
    const parts = { ready: nothing, notFound: nothing, loading: nothing, error: nothing };
    const pause = (time) => new Promise((done) => setTimeout(done, time));
    async function open() {
      errors.length = sent.length = 0;
      const box = document.body.appendChild(document.createElement("div"));
      const root = createRoot(box);
      window.location.hash = "#/sessions";
      const page = createElement(admin.Resource, { name: "sessions", list: Page });
      const [loginPage, layout] = [() => "login", ({ children }) => children];
      const given = { authProvider, dataProvider: { getList }, loginPage, layout, ...parts };
      root.render(createElement(admin.CoreAdmin, given, page));
      for (let count = 0; count < 50 && !/list|login/.test(box.textContent); count++) await pause(100);
      await pause(300);
      const seen = [box.textContent, refreshes(), errors.sort().map(String)];
      root.unmount();
      return seen;
    }
    const seen = [];
    expireAccess(tokens);
    seen.push(await open());
    network.status = 503;
    expireAccess(tokens);
    seen.push((await open())[0], Boolean(tokens.get()));
    network.status = null;
    const refresh = tokens.get().refresh;
    const headers = { "Content-Type": "application/json" };
    await fetch(`${url}/token/blacklist`, { method: "POST", headers, body: JSON.stringify({ refresh }) });
    seen.push((await open())[0], tokens.get());
    await authProvider.login({ username: "alice@example.org", password: "PASSWORD" });
    seen.push(Boolean(tokens.get()));
    await authProvider.logout();
    console.log(JSON.stringify([...seen, tokens.get()]));
    process.exit();
    """
    told = node(SIGN_IN + story.replace("PASSWORD", PASSWORD))
    assert told == [
        ["list", 1, ["403,permission_denied"]],
        *["empty", True],
        *["login", None],
        *[True, None],
    ]


def test_the_interceptor_for_angular(node, tmp_path, alice):
    npm.install(tmp_path, [*ANGULAR, "rxjs@7.8.2"], "Angular is not tried")
    story = """
    import "@angular/compiler";
    import { createEnvironmentInjector, Injector, provideZonelessChangeDetection, ɵINJECTOR_SCOPE }
      from "@angular/core";
    import { HttpClient, provideHttpClient, withFetch, withInterceptors } from "@angular/common/http";
    import { firstValueFrom } from "rxjs";
    const { interceptor } = await import("./interceptor.js");
    const http = createEnvironmentInjector([
      { provide: ɵINJECTOR_SCOPE, useValue: "root" },
      provideZonelessChangeDetection(),
      provideHttpClient(withFetch(), withInterceptors([interceptor])),
    ], Injector.NULL).get(HttpClient);
    const ask = (path) => firstValueFrom(http.get(`https://api.example.org${path}`, { observe: "response" }))
      .then(({ status }) => status, (error) => error.status ?? [error instanceof SignedOut, error.message]);
    expireAccess(tokens);
    const seen = { all: await Promise.all(["me", "sessions", "me"].map((path) => ask(`/api/${path}`))) };
    seen.refreshes = refreshes();
    network.status = 503;
    expireAccess(tokens);
    seen.outage = await ask("/api/me").catch(String);
    network.status = null;
    await api("/sessions/current", { method: "DELETE" });
    seen.ended = await ask("/api/me");
    seen["signed out"] = [await ask("/api/schema"), await ask("/api/me"), await ask("/nowhere")];
    console.log(JSON.stringify(seen));
    process.exit();
    """
    assert node(SIGN_IN + story) == {
        "all": [200] * 3,
        "refreshes": 1,
        "outage": [False, "refresh failed: 503"],
        "ended": [True, "session_revoked"],
        "signed out": [200, [True, "not_authenticated"], 404],
    }
