#!/usr/bin/env bash
# react-auth-kit: each tab refreshes with the refresh token of its own memory, and a late answer signs a person in again.
#
# Guess: tabs share the storage, so a tab refreshes with what another one has stored; a person who comes back with a good
# refresh token and an expired access token is signed in by a refresh; the answer to a refresh changes nothing after a sign-out.
# Seen: a tab reads the storage when it is loaded, and never again. Two tabs refresh by timers of their own with the same
# refresh token; where one is used once, the second counts as stolen, and that tab empties the storage of both. On a page that
# is loaded after the access token has expired nobody is signed in, and nothing is sent, though the refresh token is there. An
# answer that comes after the sign-out puts the tokens back. The guide's example signs people out for a 503, too. The timer
# begins with the next load of the page after the sign-in, and takes minutes, where the guide says seconds.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund react-auth-kit@3.1.3 react@18.3.1 react-dom@18.3.1 jsdom@26.1.0
cat > tabs.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("", { url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, localStorage: window.localStorage });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
const require = createRequire(import.meta.url);
const { createElement } = require("react");
const { createRoot } = require("react-dom/client");
const { default: AuthProvider } = require("react-auth-kit/AuthProvider");
const { default: createStore } = require("react-auth-kit/createStore");
const { default: createRefresh } = require("react-auth-kit/createRefresh");
const { default: useSignIn } = require("react-auth-kit/hooks/useSignIn");
const { default: useSignOut } = require("react-auth-kit/hooks/useSignOut");
const { version } = JSON.parse(readFileSync("node_modules/react-auth-kit/package.json"));
console.log("Node", process.version, "react-auth-kit", version);

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = (name, seconds) => `${part({})}.${part({ name, exp: Math.floor(Date.now() / 1000) + seconds })}.`;
const nameOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url")).name;
const pause = (time) => new Promise((done) => setTimeout(done, time));
let sent, answer;

// A page of the app, which refreshes after `interval` milliseconds: the library takes minutes. Each has a store and a timer of its own, and all have the same localStorage.
function open(interval) {
  const refreshApiCallback = async ({ refreshToken }) => {
    sent.push(nameOf(refreshToken));
    try {
      return await answer();
    } catch {
      return { isSuccess: false }; // as in the guide
    }
  };
  const refresh = createRefresh({ interval: interval / 60_000, refreshApiCallback });
  const store = createStore({ authName: "auth", authType: "localstorage", refresh });
  const tab = { isSignedIn: () => store.tokenObject.value.isSignIn };
  const Page = () => (Object.assign(tab, { signIn: useSignIn(), signOut: useSignOut() }), null);
  const root = createRoot(document.createElement("div"));
  root.render(createElement(AuthProvider, { store }, createElement(Page)));
  tab.close = () => root.unmount();
  return tab;
}
const start = (seconds = 300) => ({ auth: { token: jwt("access", seconds) }, refresh: jwt("first", 3600), userState: { name: "alice" } });
const next = (name) => ({ isSuccess: true, newAuthToken: jwt("access", 300), newRefreshToken: jwt(name, 3600) });
const stored = () => (localStorage.getItem("auth_refresh") ? nameOf(localStorage.getItem("auth_refresh")) : "nothing");

// Signs in, and loads the page anew.
async function enter(seconds) {
  const page = open(100_000);
  await pause(50);
  page.signIn(start(seconds));
  page.close();
}

async function afterSignIn() {
  answer = () => next("second");
  const page = open(100);
  await pause(50);
  page.signIn(start());
  await pause(400);
  const told = [sent.join() || "nothing"];
  page.close();
  await pause(50);
  const again = open(100);
  await pause(150);
  again.close();
  return [...told, sent.join()];
}

// Two tabs, 300 ms apart. The server takes each refresh token once.
async function inTwoTabs() {
  const used = [];
  answer = () => {
    const token = sent.at(-1);
    if (used.includes(token)) throw new Error("401");
    return next(["second", "third"][used.push(token) - 1]);
  };
  await enter();
  const one = open(1000);
  await pause(300);
  const other = open(1000);
  await pause(1400);
  const told = [sent.join(), one.isSignedIn(), other.isSignedIn(), stored()];
  one.close();
  other.close();
  return told;
}

async function afterExpiry() {
  answer = () => next("second");
  await enter(1);
  await pause(1100);
  const page = open(100);
  await pause(400);
  const told = [sent.join() || "nothing", page.isSignedIn(), stored()];
  page.close();
  return told;
}

async function afterSignOut() {
  let letGo;
  answer = async () => (await new Promise((done) => (letGo = done)), next("second"));
  await enter();
  const page = open(200);
  await pause(300);
  page.signOut();
  const before = [page.isSignedIn(), stored()];
  letGo();
  await pause(50);
  const told = [...before, page.isSignedIn(), stored()];
  page.close();
  return told;
}

async function inAnOutage() {
  answer = () => { throw new Error("503"); };
  await enter();
  const page = open(200);
  await pause(300);
  const told = [sent.join(), page.isSignedIn(), stored()];
  page.close();
  return told;
}

const expected = {
  "signed in: sent; and after a reload": [afterSignIn, ["nothing", "first"]],
  "two tabs: sent, is the first signed in, is the other, stored": [inTwoTabs, ["first,first", true, false, "nothing"]],
  "loaded after the access token has expired: sent, signed in, stored": [afterExpiry, ["nothing", false, "first"]],
  "signed out: signed in, stored; and after a late answer": [afterSignOut, [false, "nothing", true, "second"]],
  "503, with the guide's callback: sent, signed in, stored": [inAnOutage, ["first", false, "nothing"]],
};
const seen = [];
for (const [name, [play]] of Object.entries(expected)) {
  localStorage.clear();
  sent = [];
  seen.push(await play());
  console.log(`${name}: ${seen.at(-1).join(", ")}`);
}
assert.deepStrictEqual(seen, Object.values(expected).map(([, told]) => told), "the behaviour has changed");
process.exit();
JS
timeout 60 node tabs.js
