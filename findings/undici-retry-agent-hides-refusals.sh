#!/usr/bin/env bash
# undici's RetryAgent: a POST answered 429 or 503 fails like a broken connection, although it is not repeated.
#
# Guess: `RetryAgent` repeats GET, PUT, DELETE and the like, and leaves a POST alone: the caller gets its status, the body
# with the error code, and Retry-After.
# Seen: a POST is sent once. But of an answer 429, 500, 502, 503 or 504 the caller gets nothing: `fetch` throws `TypeError:
# fetch failed`, as if nobody listened, and `request` a RequestRetryError without the body. So a login that is refused for
# too many attempts looks like an outage. `throwOnError: false` gives the answer. With POST among `methods` a `fetch` is
# sent again without its body, and fails by that; `request` sends it whole.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund undici@7.30.2
cat > retry.js <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Agent, RetryAgent, fetch, request } from "undici";

let bodies = [];
const server = createServer(async (request, response) => {
  let body = "";
  const came = bodies.push("") - 1;
  request.on("error", () => {});
  try {
    for await (const part of request) body += part;
  } catch {
    body = "cut off";
  }
  bodies[came] = body;
  response.writeHead(Number(request.url.slice(1)), { "Content-Type": "application/json", "Retry-After": "1" });
  response.end('{"code": "throttled"}');
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const site = `http://127.0.0.1:${server.address().port}`;
const told = (error) => [error.name, error.cause?.name].filter(Boolean).join(", ");
const clients = {
  fetch: async (url, options) => {
    const answer = await fetch(url, options);
    return `${answer.status} ${(await answer.json()).code}`;
  },
  request: async (url, options) => {
    const answer = await request(url, options);
    return `${answer.statusCode} ${(await answer.body.json()).code}`;
  },
};
console.log("undici", JSON.parse(readFileSync("node_modules/undici/package.json")).version, "Node", process.version);
const seen = [];
for (const [name, options] of Object.entries({
  "by default": {},
  "throwOnError: false": { throwOnError: false },
  "POST among methods": { methods: ["POST"], maxRetries: 1 },
}))
  for (const [how, send] of Object.entries(clients))
    for (const status of [401, 429, 503]) {
      bodies = [];
      const dispatcher = new RetryAgent(new Agent(), options);
      const result = await send(`${site}/${status}`, { method: "POST", body: "token", dispatcher }).catch(told);
      await new Promise((done) => setTimeout(done, 200));
      const row = `${how} ${status}: sent ${JSON.stringify(bodies)}, tells: ${result}`;
      console.log(`${name}, ${row}`);
      seen.push(`${bodies.length} ${result}`);
    }
const [hidden, plain] = ["1 TypeError, RequestRetryError", "1 RequestRetryError"];
const [given, busy, again] = ["1 429 throttled", "1 503 throttled", "2 TypeError, RequestContentLengthMismatchError"];
const expected = [
  ["1 401 throttled", hidden, hidden, "1 401 throttled", plain, plain],
  ["1 401 throttled", given, busy, "1 401 throttled", given, busy],
  ["1 401 throttled", again, again, "1 401 throttled", "2 RequestRetryError", "2 RequestRetryError"],
].flat();
if (String(seen) !== String(expected)) {
  console.log("the behaviour has changed");
  process.exitCode = 1;
}
server.close();
server.closeAllConnections();
JS
timeout 60 node retry.js
