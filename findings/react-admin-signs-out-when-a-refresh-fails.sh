#!/usr/bin/env bash
# react-admin: while the server that refreshes tokens does not answer, addRefreshAuthToAuthProvider signs people out.
#
# Guess: of a page that opens with an expired access token, the first request refreshes it, and the others wait. If that
# fails by a 503, or because the connection broke, `checkError` is asked, which knows that only 401 is final, and the
# person stays signed in.
# Seen: `refreshAuth` runs once for each call of the two providers: a list with two more lists, the identity and the
# permissions send the same refresh token five times at once. Where one can be used once only, that signs people out, unless
# the function shares its promise, which the one in the documentation does not. And an error of the refresh comes out of
# `checkAuth`, of which any error means that nobody is signed in: `logout()` is called, whatever `checkError` says. With
# addRefreshAuthToDataProvider alone the error is asked about, and the person stays.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund ra-core@5.15.4 react@18.3.1 react-dom@18.3.1 react-router@7.18.7 \
    react-router-dom@7.18.7 @tanstack/react-query@5.108.4 react-hook-form@7.92.0 jsdom@26.1.0
cat > admin.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("", { url: "http://localhost/#/posts", pretendToBeVisual: true });
const names = ["document", "location", "history", "HTMLElement", "Element", "Node", "Event", "CustomEvent", "localStorage"];
Object.assign(globalThis, { window, ...Object.fromEntries(names.map((name) => [name, window[name]])) });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
window.scrollTo = () => {};
console.error = () => {}; // react-query tells each error of a list
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const admin = await import("ra-core");
const version = JSON.parse(readFileSync("node_modules/ra-core/package.json")).version;
console.log("Node", process.version, "react-admin (ra-core)", version);
const pause = (time) => new Promise((done) => setTimeout(done, time));
const nothing = () => null;

// A page with a list, two more lists, the name of the person and what they may do.
function Page() {
  admin.useGetIdentity();
  admin.usePermissions();
  admin.useGetList("tags");
  admin.useGetList("people");
  return createElement(admin.ListBase, null, createElement("p"));
}

async function open({ isShared = false, fails = null, onlyData = false }) {
  const seen = { refreshes: 0, signedOut: false };
  let [isExpired, refreshing] = [true, null];
  const refresh = async () => {
    seen.refreshes += 1;
    await pause(50);
    if (fails) throw fails;
    isExpired = false;
  };
  const refreshAuth = async () => {
    if (!isExpired) return;
    if (!isShared) return refresh();
    refreshing ??= refresh().finally(() => (refreshing = null));
    return refreshing;
  };
  const authProvider = {
    login: async () => {},
    logout: async () => void (seen.signedOut = true),
    checkAuth: async () => {},
    checkError: async (error) => {
      if (error.status === 401) throw error;
    },
    getIdentity: async () => ({ id: 1, fullName: "Alice" }),
    getPermissions: async () => [],
  };
  const dataProvider = { getList: async () => ({ data: [{ id: 1 }], total: 1 }) };
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  window.location.hash = "#/posts";
  const given = {
    authProvider: onlyData ? authProvider : admin.addRefreshAuthToAuthProvider(authProvider, refreshAuth),
    dataProvider: admin.addRefreshAuthToDataProvider(dataProvider, refreshAuth),
    layout: ({ children }) => children,
  };
  for (const name of ["loginPage", "ready", "notFound", "loading", "error"]) given[name] = nothing;
  root.render(createElement(admin.CoreAdmin, given, createElement(admin.Resource, { name: "posts", list: Page })));
  await pause(1500);
  root.unmount();
  await pause(100);
  return seen;
}

const [busy, broken] = [new admin.HttpError("busy", 503), new TypeError("Failed to fetch")];
const seen = {
  "a refresh that works": await open({}),
  "the same, shared": await open({ isShared: true }),
  "503 at the refresh": (await open({ isShared: true, fails: busy })).signedOut,
  "no connection at the refresh": (await open({ isShared: true, fails: broken })).signedOut,
  "503, addRefreshAuthToDataProvider alone": (await open({ isShared: true, fails: busy, onlyData: true })).signedOut,
};
console.log(seen);
assert.deepStrictEqual(Object.values(seen), [
  { refreshes: 5, signedOut: false },
  { refreshes: 1, signedOut: false },
  true,
  true,
  false,
], "the behaviour has changed");
process.exit();
JS
timeout 60 node admin.js
