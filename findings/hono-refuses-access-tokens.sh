#!/usr/bin/env bash
# Hono: its jwk middleware refuses access tokens of RFC 9068, and takes a refresh token of the same key for one.
#
# Guess: the middleware, which the documentation shows with the keys of an identity provider, accepts an access token by
# RFC 9068 with the right issuer and audience. It keeps the keys for some time.
# Seen: the type of a token has to be JWT, or missing, unless `verification.typ` says otherwise. An access token has the type
# at+jwt, and is refused with 401; the refresh token, of the type JWT, is let in. With typ "at+jwt" it is the other way
# round. It reads the keys anew at each request, and while nobody answers there, a good token is refused with 401, too.
set -euo pipefail
command -v node >/dev/null || { echo "needs node"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund hono@4.13.19 jose@6.2.18
cat > story.js <<'JS'
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

for (const name of ["hono", "jose"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version);
const { publicKey, privateKey } = await generateKeyPair("ES256");
const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }];
let asked = 0;
const server = createServer((_, response) => {
  asked += 1;
  response.end(JSON.stringify({ keys }));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const url = `http://127.0.0.1:${server.address().port}/jwks.json`;

const token = (typ, token_type) =>
  new SignJWT({ token_type })
    .setProtectedHeader({ alg: "ES256", kid: "one", typ })
    .setIssuer("https://example.org")
    .setAudience("api")
    .setExpirationTime("5m")
    .sign(privateKey);
const access = await token("at+jwt", "access");
const refresh = await token("JWT", "refresh");

function service(more) {
  const app = new Hono();
  const verification = { iss: "https://example.org", aud: "api", ...more };
  app.use("*", jwk({ jwks_uri: url, alg: ["ES256"], verification }));
  app.get("/", (c) => c.text("in"));
  return async (token) =>
    (await app.request("/", { headers: { Authorization: `Bearer ${token}` } })).status;
}

const plain = service({});
const typed = service({ typ: "at+jwt" });
const seen = [await plain(access), await plain(refresh), await typed(access), await typed(refresh)];
console.log("as it comes: access token", seen[0], "refresh token", seen[1]);
console.log('with typ "at+jwt": access token', seen[2], "refresh token", seen[3]);
asked = 0;
for (let n = 0; n < 5; n++) await typed(access);
console.log("the keys were read", asked, "times for five requests");
server.closeAllConnections();
await new Promise((resolve) => server.close(resolve));
const away = await typed(access);
console.log("nobody answers there: access token", away);
assert.deepEqual([...seen, asked, away], [401, 200, 200, 401, 5, 401], "the behaviour has changed");
JS
node story.js
