#!/usr/bin/env bash
# axios-retry: a POST whose answer is lost is sent four times, though its condition is called idempotent.
#
# Guess: by default (`isNetworkOrIdempotentRequestError`) GET, HEAD, OPTIONS, PUT and DELETE are repeated, and a POST or
# PATCH is sent once.
# Seen: that holds for answers 429 and 5xx alone. When the connection ends without an answer, each method is sent three
# more times, at once and with no pause between. So a login makes four sessions; and where a refresh token is used once, the
# first request uses it up, and the second brings a 401 `token_not_valid`, which applications take for the end of the session.
# `retryCondition: isIdempotentRequestError` leaves POST alone. A GET that is answered 429 waits for Retry-After before
# each of three more; with `timeout` only if that is longer.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund axios@1.21.1 axios-retry@4.5.0
cat > retry.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import axios from "axios";
import axiosRetry, { isIdempotentRequestError } from "axios-retry";

const { version } = JSON.parse(readFileSync("node_modules/axios-retry/package.json"));
console.log("Node", process.version, "axios", axios.VERSION, "axios-retry", version);
// /lost: what is asked for is done, and the connection ends before the answer. A refresh token is used once.
let came, used;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const isFirst = came.push(request.url) === 1;
  if (request.url === "/lost" || (request.url === "/refresh" && isFirst)) {
    used = body;
    return request.socket.destroy();
  }
  response.statusCode = request.url === "/refresh" ? (body === used ? 401 : 200) : Number(request.url.slice(1));
  response.setHeader("Retry-After", "1");
  response.end();
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const baseURL = `http://127.0.0.1:${server.address().port}`;

async function ask(method, url, options, settings) {
  [came, used] = [[], null];
  const api = axios.create({ baseURL, ...settings });
  axiosRetry(api, options);
  const began = Date.now();
  const told = await api.request({ method, url, data: "token" }).catch(({ response, code }) => response ?? { status: code });
  return [came.length, told.status, Math.round((Date.now() - began) / 1000)];
}

const strict = { retryCondition: isIdempotentRequestError };
const seen = {
  "POST, lost": await ask("post", "/lost"),
  "PATCH, lost": await ask("patch", "/lost"),
  "POST, lost, isIdempotentRequestError": await ask("post", "/lost", strict),
  "POST of a refresh token, the first answer lost": await ask("post", "/refresh"),
  "POST, 429": await ask("post", "/429"),
  "POST, 503": await ask("post", "/503"),
  "GET, 429": await ask("get", "/429"),
  "GET, 429, timeout: 900": await ask("get", "/429", {}, { timeout: 900 }),
};
for (const [name, [times, told, seconds]] of Object.entries(seen)) {
  console.log(`${name}: sent ${times} times in ${seconds} seconds, answers ${told}`);
}
server.close();
server.closeAllConnections();
assert.deepStrictEqual(Object.values(seen), [
  [4, "ECONNRESET", 0],
  [4, "ECONNRESET", 0],
  [1, "ECONNRESET", 0],
  [2, 401, 0],
  [1, 429, 0],
  [1, 503, 0],
  [4, 429, 3],
  [1, 429, 0],
], "the behaviour has changed");
JS
timeout 60 node retry.js
