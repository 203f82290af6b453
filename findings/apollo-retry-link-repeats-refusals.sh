#!/usr/bin/env bash
# Apollo Client's RetryLink: a mutation that is refused with 401 is sent five times, and so is one whose answer is lost.
#
# Guess: `new RetryLink()` tries again when there is no connection. It leaves alone mutations, which may have been
# carried out, and answers such as 401 and 403, which say no.
# Seen: each answer that is not 2xx is a "network error" to it, and it asks neither for the status nor for the kind of the
# operation. So a mutation with an expired token, and one whose answer gets lost, are sent five times, within ten seconds;
# only then the application hears of the 401. Retry-After is not read. Errors in an answer 200 are not repeated.
# `attempts: (count, operation, error) => …` decides otherwise.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund @apollo/client@4.3.8 graphql@16.12.0 rxjs@7.8.2
cat > retry.js <<'JS'
import assert from "node:assert";
import { createServer } from "node:http";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql, version } from "@apollo/client";
import { OperationTypeNode } from "graphql";
import { RetryLink } from "@apollo/client/link/retry";

console.log("Node", process.version, "@apollo/client", version);
const came = {};
const server = createServer((request, response) => {
  const [, status, name] = request.url.split("/");
  came[name] = (came[name] ?? 0) + 1;
  if (status === "lost") return request.socket.destroy();
  response.writeHead(Number(status), { "Content-Type": "application/json", "Retry-After": "60" });
  response.end(JSON.stringify({ errors: [{ message: "not now" }] }));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const site = `http://127.0.0.1:${server.address().port}`;

async function ask(kind, status, options) {
  const name = `${kind}-${status}-${options ? "own" : "default"}`;
  const link = ApolloLink.from([new RetryLink(options), new HttpLink({ uri: `${site}/${status}/${name}` })]);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const act = kind === "mutation" ? client.mutate({ mutation: gql`mutation { pay }` }) : client.query({ query: gql`{ me }` });
  const told = await act.catch((error) => error);
  return [name, `sent ${came[name]} times: ${told.name} ${told.statusCode ?? ""}`.trim()];
}

// What no harm comes of: a query, and no answer that says no.
const own = {
  attempts: (count, { operationType }, error) =>
    count < 5 && operationType === OperationTypeNode.QUERY && !(error.statusCode < 500),
};
const kinds = [["mutation", 401], ["mutation", 403], ["mutation", 429], ["mutation", "lost"], ["mutation", 200], ["query", 401]];
const asked = [...kinds.map((each) => ask(...each)), ask("mutation", "lost", own), ask("query", 401, own), ask("query", 503, own)];
const seen = Object.fromEntries(await Promise.all(asked));
console.log(seen);
server.close();
server.closeAllConnections();
assert.deepStrictEqual(seen, {
  "mutation-401-default": "sent 5 times: ServerError 401",
  "mutation-403-default": "sent 5 times: ServerError 403",
  "mutation-429-default": "sent 5 times: ServerError 429",
  "mutation-lost-default": "sent 5 times: TypeError",
  "mutation-200-default": "sent 1 times: CombinedGraphQLErrors",
  "query-401-default": "sent 5 times: ServerError 401",
  "mutation-lost-own": "sent 1 times: TypeError",
  "query-401-own": "sent 1 times: ServerError 401",
  "query-503-own": "sent 5 times: ServerError 503",
}, "the behaviour has changed");
JS
timeout 60 node retry.js
