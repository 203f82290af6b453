#!/usr/bin/env bash
# urql: a query that has been repeated after a refresh is never refreshed for again, where urql asks again by itself.
#
# Guess: each time a request is refused with 401, authExchange refreshes and repeats it once.
# Seen: it marks the operation with `authAttempt`, so that it repeats it only once. cacheExchange keeps the result with this
# operation, and after a mutation of the same type it asks again with it. If the access token has expired by then, the 401
# goes to the page: nothing refreshes, and the list that is shown turns into an error. The same query that was not
# refused before is refreshed for. Requests that are refused together share one refresh, as guessed.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @urql/core@6.0.3 @urql/exchange-auth@3.0.0 graphql@16.15.0 > /dev/null
cat > run.mjs <<'JS'
import assert from "node:assert";
import fs from "node:fs";
import http from "node:http";
import { Client, cacheExchange, fetchExchange, gql } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";

const version = (name) => JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version;
console.log("Node", process.version, ...["@urql/core", "@urql/exchange-auth"].flatMap((name) => [name, version(name)]));

// Tokens are numbers, of which the server accepts one.
let good = 1;
let refreshes = 0;
let expiresAfterMutation = false;
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/refresh") {
      refreshes += 1;
      return response.end(String(++good));
    }
    if (request.headers.authorization !== `Bearer ${good}`) {
      response.statusCode = 401;
      return response.end("{}");
    }
    const order = { __typename: "Order", id: "1" };
    const isMutation = body.includes("mutation");
    if (isMutation && expiresAfterMutation) good += 1;
    response.end(JSON.stringify({ data: isMutation ? { pay: order } : { order } }));
  });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const site = `http://127.0.0.1:${server.address().port}`;

async function play(name, token) {
  good += 1;
  token ??= good;
  expiresAfterMutation = false;
  const client = new Client({
    url: `${site}/graphql`,
    preferGetMethod: false,
    exchanges: [
      cacheExchange,
      authExchange(async ({ appendHeaders }) => ({
        addAuthToOperation: (operation) => appendHeaders(operation, { Authorization: `Bearer ${token}` }),
        didAuthError: (error) => error.response?.status === 401,
        async refreshAuth() {
          token = await (await fetch(`${site}/refresh`, { method: "POST" })).text();
        },
      })),
      fetchExchange,
    ],
  });
  const shown = [];
  const query = gql`query { order { id __typename } }`;
  const other = gql`query Other { order { __typename id } }`;
  refreshes = 0;
  const together = Promise.all([client.query(query, {}), client.query(other, {})]);
  client.query(query, {}).subscribe(({ error, stale }) => stale || shown.push(error?.response.status ?? "order"));
  await together;
  const atFirst = refreshes;
  expiresAfterMutation = true;
  refreshes = 0;
  const paid = await client.mutation(gql`mutation { pay { id __typename } }`, {});
  assert(!paid.error);
  await new Promise((done) => setTimeout(done, 500));
  console.log(`${name}: refreshes ${atFirst} and ${refreshes}, shown`, shown.join(", "));
  return [atFirst, refreshes, shown.at(-1)];
}

const fresh = await play("not refused before");
const refused = await play("refused and refreshed before", "expired");
assert.deepStrictEqual(fresh, [0, 1, "order"], "the behaviour has changed");
assert.deepStrictEqual(refused, [1, 0, 401], "the behaviour has changed");
console.log("As seen: the second time, nothing refreshes for it.");
process.exit();
JS
node run.mjs
