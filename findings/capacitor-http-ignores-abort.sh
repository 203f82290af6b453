#!/usr/bin/env bash
# Capacitor: with CapacitorHttp, fetch() ignores `signal`: no time-out ends a POST, and one that was aborted before is sent.
#
# Guess: CapacitorHttp sends by the phone's own library what `fetch` is given, and rejects with AbortError or TimeoutError
# where `fetch` does.
# Seen: for all methods but GET, HEAD and OPTIONS it makes a message of URL, method, headers and body, and waits for its answer.
# `signal` is nowhere in it. `AbortSignal.timeout(200)` lets a POST go on for as long as the server takes, and the caller
# gets the answer. Its promise of a message has no time limit of its own.
#
# The bridge is run in Node as the app loads it; the native side, which Java has in an app, is a few lines below.
# Needs Node 20 or newer, and npm.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit --ignore-scripts @capacitor/android@8.5.2 > /dev/null
cat > run.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import http from "node:http";
import vm from "node:vm";

const { version } = JSON.parse(fs.readFileSync("node_modules/@capacitor/android/package.json"));
const bridge = "node_modules/@capacitor/android/capacitor/src/main/assets/native-bridge.js";
console.log("Node", process.version, "@capacitor/android", version);

const arrived = [];
const server = http.createServer((request, response) => {
  arrived.push(request.url);
  setTimeout(() => response.end("answer"), 1000);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${server.address().port}`;

async function attempt(name, signal) {
  const began = Date.now();
  let outcome;
  try {
    outcome = await (await fetch(`${url}/${name}`, { method: "POST", body: "x", signal })).text();
  } catch (error) {
    outcome = error.name;
  }
  console.log(name, outcome, Date.now() - began, "ms");
  return outcome;
}

const plain = [
  await attempt("plain-timeout", AbortSignal.timeout(200)),
  await attempt("plain-aborted", AbortSignal.abort()),
];
assert(!arrived.includes("/plain-aborted"));

// What a page of the app has.
Object.assign(globalThis, {
  window: globalThis,
  document: { addEventListener() {} },
  location: { protocol: "https:", href: "https://localhost/" },
  Document: class {},
  HTMLDocument: class {},
  XMLHttpRequest: class {},
  WEBVIEW_SERVER_URL: "https://localhost",
  CapacitorHttpAndroidInterface: { isEnabled: () => true },
  androidBridge: {
    postMessage(text) {
      const { callbackId, options } = JSON.parse(text);
      const request = http.request(options.url, { method: options.method }, (response) => {
        response.setEncoding("utf8");
        response.on("data", (data) => {
          const result = { status: response.statusCode, headers: response.headers, url: options.url, data };
          this.onmessage({ data: JSON.stringify({ callbackId, success: true, data: result }) });
        });
      });
      request.end(options.data);
    },
  },
});
console.time = console.timeEnd = () => {};
const original = fetch;
vm.runInThisContext(fs.readFileSync(bridge, "utf8"));
assert.notStrictEqual(fetch, original);

const patched = [
  await attempt("patched-timeout", AbortSignal.timeout(200)),
  await attempt("patched-aborted", AbortSignal.abort()),
];
assert.deepStrictEqual(plain, ["TimeoutError", "AbortError"], "the behaviour has changed");
assert.deepStrictEqual(patched, ["answer", "answer"], "the behaviour has changed");
assert(arrived.includes("/patched-aborted"), "the behaviour has changed");
console.log("As seen: nothing aborts a POST by CapacitorHttp.");
process.exit();
JS
node run.mjs
