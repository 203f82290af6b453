#!/usr/bin/env bash
# get-jwks and jwks-rsa: a key that was taken out of the JWKS is given out on; by get-jwks as long as somebody asks for it.
#
# Guess: a client that keeps a JWKS for a time asks again when that is over, or sooner if the server's `Cache-Control` says
# so, and what is not in the new set is no key any more. Who reads the set anew knows of all its keys.
# Seen: get-jwks 11 asks again after its `ttl` (a minute by default), does not find the key, and takes that for an outage: it
# gives out the former key, and keeps it for another `ttl`. Asked within each `ttl`, it never forgets. No option says
# otherwise. jwks-rsa 4 keeps each key by itself: after it has read a new set, for another key, the one that is missing
# there is still given out, for `cacheMaxAge` (10 minutes by default). jose 6 forgets both ways, but its own default is
# 10 minutes, too. `Cache-Control` is read by none of them.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund get-jwks@11.0.3 jwks-rsa@4.1.0 jose@6.2.18
cat > keys.js <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRemoteJWKSet, exportJWK, generateKeyPair } from "jose";
import buildGetJwks from "get-jwks";
import jwksRsa from "jwks-rsa";

const make = async (kid) => ({ ...(await exportJWK((await generateKeyPair("ES256")).publicKey)), kid, alg: "ES256" });
const [old, next] = [await make("old"), await make("next")];
let published, reads = 0;
const server = createServer((request, response) => {
  reads += 1;
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Cache-Control", "public, max-age=1");
  response.end(JSON.stringify({ keys: published }));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const site = `http://127.0.0.1:${server.address().port}`;
const url = `${site}/.well-known/jwks.json`;
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const name of ["get-jwks", "jwks-rsa", "jose"]) console.log(name, version(name));

const clients = {
  "get-jwks": (seconds) => {
    const keys = buildGetJwks(seconds && { ttl: seconds * 1000 });
    return (kid) => keys.getJwk({ domain: site, kid, alg: "ES256" });
  },
  "jwks-rsa": (seconds) => {
    const keys = jwksRsa({ jwksUri: url, ...(seconds && { cacheMaxAge: seconds * 1000 }) });
    return (kid) => keys.getSigningKey(kid);
  },
  jose: (seconds) => {
    const options = seconds && { cacheMaxAge: seconds * 1000 };
    const keys = createRemoteJWKSet(new URL(url), { cooldownDuration: 0, ...options });
    return (kid) => keys({ kid, alg: "ES256" });
  },
};
const seen = {};
for (const [name, make] of Object.entries(clients)) {
  const given = async (find, kid) => find(kid).then(() => true, () => false);
  const row = {};
  // The defaults, and a server that says a second.
  published = [old];
  let find = make();
  await find("old");
  [published, reads] = [[next], 0];
  await sleep(2);
  row["two seconds later, by the defaults"] = await given(find, "old");
  row["was the set read"] = reads > 0;
  row["after another key was found"] = (await given(find, "next")) && (await given(find, "old"));
  // A second by an option of its own, and asked all the time.
  published = [old];
  find = make(1);
  await find("old");
  [published, reads] = [[next], 0];
  let last;
  for (let count = 0; count < 20; count++) {
    await sleep(0.5);
    last = await given(find, "old");
  }
  row["ten seconds later, kept for one"] = last;
  row["was the set read then"] = reads > 0;
  await sleep(3);
  row["after three seconds without a question"] = await given(find, "old");
  seen[name] = row;
  console.log(name, row);
}
const expected = {
  "get-jwks": [true, false, true, true, true, false],
  "jwks-rsa": [true, false, true, false, true, false],
  jose: [true, false, false, false, true, false],
};
for (const [name, row] of Object.entries(seen))
  if (String(Object.values(row)) !== String(expected[name])) {
    console.log("the behaviour has changed");
    process.exitCode = 1;
  }
server.close();
server.closeAllConnections();
JS
node keys.js
