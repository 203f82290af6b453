#!/usr/bin/env bash
# fetch-event-source: a stream that is refused with 401 is asked for each second, for ever; one that ends is not reopened.
#
# Guess: it does what EventSource does, and takes headers besides: an answer 401 or 403 is final, and where a stream ends the
# client connects again.
# Seen: the opposite of both. Any answer that is no stream, 401, 403, 429 and 204 among them, is asked for again after a
# second, with the same token, without an end and without a word to the caller; Retry-After is not read. And where the server
# ends a stream, because the session ended or the worker was replaced, the promise resolves, and nobody connects again.
# The package eventsource 4.1.0 does as browsers do. `onopen`, `onclose` and `onerror` that throw change both.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund @microsoft/fetch-event-source@2.0.1 eventsource@4.1.0
cat > events.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { EventSource } from "eventsource";

// What a page has, and it asks for.
Object.assign(globalThis, { window: globalThis, document: { addEventListener() {}, removeEventListener() {} } });
const { fetchEventSource } = await import("@microsoft/fetch-event-source");
const version = (name) => `${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version}`;
console.log("Node", process.version, version("@microsoft/fetch-event-source"), version("eventsource"));
const came = {};
const server = createServer((request, response) => {
  const [, name, status] = request.url.split("/");
  came[name] = (came[name] ?? 0) + 1;
  const isStream = status === "ends";
  const type = isStream ? "text/event-stream" : "application/json";
  response.writeHead(isStream ? 200 : Number(status), { "Content-Type": type, "Retry-After": "60" });
  response.end(isStream ? "retry: 1000\ndata: 42\n\n" : "");
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const site = `http://127.0.0.1:${server.address().port}`;
const headers = { Authorization: "Bearer expired" };
const pause = (time) => new Promise((done) => setTimeout(done, time));

async function byFetch(status, options) {
  const name = `${status}-fetch${options ? "-own" : ""}`;
  let state = "goes on";
  fetchEventSource(`${site}/${name}/${status}`, { headers, fetch, ...options }).then(
    () => (state = "resolved"),
    (error) => (state = `rejected: ${error.message}`),
  );
  await pause(4500);
  return [name, `sent ${came[name]} times, ${state}`];
}

async function byEventSource(status) {
  const name = `${status}-EventSource`;
  const source = new EventSource(`${site}/${name}/${status}`, {
    fetch: (url, given) => fetch(url, { ...given, headers: { ...given.headers, ...headers } }),
  });
  await pause(4500);
  return [name, `sent ${came[name]} times, ${source.readyState === EventSource.CLOSED ? "closed" : "goes on"}`];
}

const own = {
  async onopen({ status }) {
    if (status !== 200) throw new Error(status);
  },
  onerror(error) {
    throw error;
  },
};
const statuses = ["401", "403", "429", "204", "ends"];
const asked = statuses.flatMap((status) => [byFetch(status), byEventSource(status)]);
const seen = Object.fromEntries(await Promise.all([...asked, byFetch("401", own)]));
console.log(seen);
assert.deepStrictEqual(seen, {
  "401-fetch": "sent 5 times, goes on",
  "401-EventSource": "sent 1 times, closed",
  "403-fetch": "sent 5 times, goes on",
  "403-EventSource": "sent 1 times, closed",
  "429-fetch": "sent 5 times, goes on",
  "429-EventSource": "sent 1 times, closed",
  "204-fetch": "sent 5 times, goes on",
  "204-EventSource": "sent 1 times, closed",
  "ends-fetch": "sent 1 times, resolved",
  "ends-EventSource": "sent 5 times, goes on",
  "401-fetch-own": "sent 1 times, rejected: 401",
}, "the behaviour has changed");
process.exit();
JS
timeout 60 node events.js
