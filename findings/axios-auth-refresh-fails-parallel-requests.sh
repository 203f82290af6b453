#!/usr/bin/env bash
# axios-auth-refresh: of three requests that are refused together one is repeated; the others fail with their 401.
#
# Guess: requests that meet an expired token share one refresh, and all of them are repeated. That is what it is for.
# Seen: with `deduplicateRefresh` as it is (true), the refresh holds up the requests that begin while it runs. Those that
# were under way already, and are answered 401 meanwhile, are rejected: of three lists that a page loads, it shows one.
# With `deduplicateRefresh: false` the three share the refresh, and all are repeated: the opposite of what the name
# says. A 401 that arrives after the refresh was over starts another one, though the new token is there already.
#
# Needs Node 20 or newer and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund axios@1.21.1 axios-auth-refresh@5.0.2
cat > requests.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import axios from "axios";
import { createAuthRefresh } from "axios-auth-refresh";

const { version } = JSON.parse(readFileSync("node_modules/axios-auth-refresh/package.json"));
console.log("Node", process.version, "axios", axios.VERSION, "axios-auth-refresh", version);
const later = (time, task) => setTimeout(task, time);
let valid, refreshes;
// A token is judged when the request arrives; the answer to /500 takes half a second.
const server = createServer((request, response) => {
  if (request.url === "/refresh") {
    refreshes += 1;
    return later(150, () => response.end((valid = `new ${refreshes}`)));
  }
  response.statusCode = request.headers.authorization === valid ? 200 : 401;
  later(Number(request.url.slice(1)), () => response.end());
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const baseURL = `http://127.0.0.1:${server.address().port}`;

async function ask(paths, options) {
  let token = "expired";
  [valid, refreshes] = ["another", 0];
  const api = axios.create({ baseURL });
  api.interceptors.request.use((config) => {
    config.headers.Authorization = token;
    return config;
  });
  const refresh = async () => (token = (await axios.post(`${baseURL}/refresh`)).data);
  createAuthRefresh(api, refresh, options);
  const told = paths.map((path) => api.get(path).then((answer) => answer.status, (error) => error.response.status));
  return { told: await Promise.all(told), refreshes };
}

const together = ["/0", "/0", "/0"];
const seen = {
  "at once": await ask(together),
  "at once, deduplicateRefresh: false": await ask(together, { deduplicateRefresh: false }),
  "one is answered after the refresh": await ask(["/0", "/500"]),
};
console.log(seen);
server.close();
server.closeAllConnections();
assert.deepStrictEqual(Object.values(seen), [
  { told: [200, 401, 401], refreshes: 1 },
  { told: [200, 200, 200], refreshes: 1 },
  { told: [200, 200], refreshes: 2 },
], "the behaviour has changed");
JS
node requests.js
