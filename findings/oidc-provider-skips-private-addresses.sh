#!/usr/bin/env bash
# oidc-provider: logout tokens are not sent to clients at private addresses, and the person reads that they are signed out.
#
# Guess: a provider in a company, or in a container beside the site, sends its logout tokens to the `backchannel_logout_uri`
# of a client at 10.0.0.0/8, 192.168.0.0/16 or localhost, as it accepts that address at the registration.
# Seen: oidc-provider 9 closes each connection to a private or local address right after it was made. The
# client hears nothing. The sign-out goes on, and only the event `backchannel.error` tells ("fetch failed", with the reason
# in its `cause`). Nothing is sent again. An own `fetch` in the configuration that leaves the `dispatcher` of its options
# away sends it. Other calls of the provider, as for a `jwks_uri` or `sector_identifier_uri`, go the same way.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund oidc-provider@9.13.3
cat > logout.js <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

console.warn = console.info = () => {};
const { default: Provider } = await import("oidc-provider");
const version = JSON.parse(readFileSync("node_modules/oidc-provider/package.json")).version;
console.log("node", process.version, "oidc-provider", version);

let heard = 0;
const client = createServer((request, response) => {
  heard += 1;
  request.resume();
  response.end();
});
await new Promise((done) => client.listen(0, "127.0.0.1", done));

async function tell(more) {
  heard = 0;
  const provider = new Provider("http://localhost:4000", {
    features: { backchannelLogout: { enabled: true } },
    clients: [
      {
        client_id: "site",
        client_secret: "a secret of the client, long enough",
        redirect_uris: ["https://site.test/callback"],
        backchannel_logout_uri: `http://127.0.0.1:${client.address().port}/logout`,
      },
    ],
    ...more,
  });
  const site = await provider.Client.find("site");
  const reason = await site.backchannelLogout("alice", "a session").then(
    () => "",
    (error) => `${error.message}: ${error.cause?.message}`,
  );
  return { heard, reason };
}

const seen = {
  "as it comes": await tell({}),
  "with an own fetch": await tell({ fetch: (url, { dispatcher, ...options }) => fetch(url, options) }),
};
for (const [name, row] of Object.entries(seen)) console.log(`${name}:`, row);
client.close();
const refused = "fetch failed: hostname resolves to a special-use IP address";
const first = seen["as it comes"], second = seen["with an own fetch"];
const isSeen = first.heard === 0 && first.reason === refused && second.heard === 1 && second.reason === "";
process.exit(isSeen ? 0 : 1);
JS
node logout.js 2> /dev/null
