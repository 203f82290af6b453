#!/usr/bin/env bash
# SvelteKit: a redirect in `handle` loses a form that scripts send, and a response of one's own loses the cookies.
#
# Guess: `redirect(307, event.url)` in the hook `handle`, after new tokens were put into `event.cookies`, lets the browser repeat
# its request with them, with method and body, as 307 says. Returning `new Response(null, { status: 307 })` is the same.
# Seen: to a form with `use:enhance` (`x-sveltekit-action`) the redirect is a JSON with status 200. The browser opens that
# page, the action never runs, and nobody is told. The response of one's own is repeated, and has no cookie of `event.cookies`,
# which only `resolve(event)` and a thrown redirect add: a refresh token that was exchanged there is lost, and the used one
# comes again. To what the browser asks for while it changes pages (`__data.json`) such a response loses all headers,
# `Set-Cookie` as well. The same with SvelteKit 3.2.0.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund @sveltejs/kit@2.70.4 svelte@5.57.3 vite@7.3.8 \
  @sveltejs/adapter-node@5.5.7 @sveltejs/vite-plugin-svelte@6.2.3
mkdir -p src/routes
echo 'import { sveltekit } from "@sveltejs/kit/vite"; export default { plugins: [sveltekit()] };' > vite.config.js
echo 'import adapter from "@sveltejs/adapter-node"; export default { kit: { adapter: adapter() } };' > svelte.config.js
echo '<html>%sveltekit.head%<body>%sveltekit.body%</body></html>' > src/app.html
echo '<p>page</p>' > src/routes/+page.svelte
cat > src/routes/+page.server.js <<'JS'
export const load = () => ({ text: "data" });
export const actions = { default: ({ cookies }) => ({ saved: cookies.get("token") }) };
JS
cat > src/hooks.server.js <<'JS'
import { redirect } from "@sveltejs/kit";
export function handle({ event, resolve }) {
  const { cookies, request, url } = event;
  if (cookies.get("token")) return resolve(event);
  cookies.set("token", "new", { path: "/" });
  const way = request.headers.get("x-way");
  if (way === "redirect") redirect(307, url);
  const headers = new Headers({ Location: request.url });
  if (way === "own header") headers.set("Set-Cookie", "token=new; Path=/");
  return new Response(null, { status: 307, headers });
}
JS
node_modules/.bin/vite build > build.log 2>&1 || { cat build.log; exit 1; }
cat > ask.js <<'JS'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

process.env.ORIGIN = "http://localhost";
const { handler } = await import("./build/handler.js");
const { version } = JSON.parse(readFileSync("node_modules/@sveltejs/kit/package.json"));
console.log("Node", process.version, "SvelteKit", version);
const server = createServer(handler);
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const site = `http://127.0.0.1:${server.address().port}`;

// As a browser: it keeps the cookie, and does by itself what 307 says.
async function ask(way, path, { scripts, ...options } = {}) {
  const headers = { "x-way": way, Origin: "http://localhost", Accept: "text/html" };
  if (scripts) Object.assign(headers, { Accept: "application/json", "x-sveltekit-action": "true" });
  const sent = { redirect: "manual", headers, ...options };
  const first = await fetch(site + path, sent);
  const [cookie] = first.headers.getSetCookie();
  const next = first.status === 307
    ? await (await fetch(site + path, { ...sent, headers: { ...headers, Cookie: cookie?.split(";")[0] ?? "" } })).text()
    : await first.text();
  const what = next.includes('"redirect"') ? "a redirect in JSON" : next.includes("page") ? "the page"
    : next.includes("saved") ? "saved" : next || "nothing";
  return [first.status, Boolean(cookie), what];
}

const form = { method: "POST", body: new URLSearchParams({ name: "mine" }) };
const seen = {
  "redirect, a page": await ask("redirect", "/"),
  "redirect, a form without scripts": await ask("redirect", "/", form),
  "redirect, a form with use:enhance": await ask("redirect", "/", { ...form, scripts: true }),
  "redirect, __data.json": await ask("redirect", "/__data.json"),
  "own response, a page": await ask("own", "/"),
  "own response, a form with use:enhance": await ask("own", "/", { ...form, scripts: true }),
  "own Set-Cookie, a form with use:enhance": await ask("own header", "/", { ...form, scripts: true }),
  "own Set-Cookie, __data.json": await ask("own header", "/__data.json"),
};
for (const [name, [status, hasCookie, what]] of Object.entries(seen)) {
  console.log(`${name}: ${status}, ${hasCookie ? "a cookie" : "no cookie"}, in the end ${what}`);
}
server.close();
server.closeAllConnections();
assert.deepStrictEqual(Object.values(seen), [
  [307, true, "the page"],
  [307, true, "the page"],
  [200, true, "a redirect in JSON"],
  [200, true, "a redirect in JSON"],
  [307, false, "nothing"],
  [307, false, "nothing"],
  [307, true, "saved"],
  [200, false, "a redirect in JSON"],
], "the behaviour has changed");
JS
timeout 60 node ask.js
