#!/usr/bin/env bash
# React Router 8: neither of the two URLs that a middleware is given is the one to ask again.
#
# Guess: a middleware that has set cookies, and redirects with the status 307 to the URL of the request, has the browser repeat what it
# has asked for, with method and body: `redirect(request.url, 307)`. The argument `url`, which it is given beside the request, is the same.
# Seen: while a link is followed, `request.url` is /page.data (and /_.data for /). A redirect there is carried out as a
# navigation to /page.data, which no route has: people see "404 Not Found" where 7.18.4 shows the page. `url` is /page, but lacks
# the `?index` by which a form names the route of an index page: the POST is repeated to its parent, which answers 405. This holds
# for 7.18.4, too. The path of `url` with the query of `request.url`, without `_routes`, is right in both.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

ask() {  # version, configuration, what a script asks for instead of /
  mkdir -p "$folder/$1/app"
  cd "$folder/$1"
  echo '{"type": "module"}' > package.json
  npm install --silent --no-audit --no-fund "react-router@$1" "@react-router/dev@$1" "@react-router/node@$1" \
    react@19.3.1 react-dom@19.3.1 vite@7.3.8 isbot@5.2.3
  echo "export default { $2 };" > react-router.config.js
  echo 'import { reactRouter } from "@react-router/dev/vite"; export default { plugins: [reactRouter()] };' > vite.config.js
  cat > app/routes.js <<'JS'
import { index, route } from "@react-router/dev/routes";
export default [index("home.jsx"), route("page", "page.jsx")];
JS
  cat > app/root.jsx <<'JS'
import { Outlet } from "react-router";
export const middleware = [({ request, url }, next) => {
  const short = ({ pathname, search }) => pathname + search.replace("index=", "index");
  globalThis.seen = [short(new URL(request.url)), short(url)];
  return next();
}];
export default () => <html><body><Outlet /></body></html>;
JS
  cat > app/home.jsx <<'JS'
export const action = () => "saved";
export default () => <p>home</p>;
JS
  cat > app/page.jsx <<'JS'
export const loader = () => "data";
export default () => <p>page</p>;
JS
  node_modules/.bin/react-router build > build.log 2>&1 || { cat build.log; exit 1; }
  cat > ask.js <<'JS'
import { createRequestHandler, matchRoutes } from "react-router";
import * as build from "./build/server/index.js";
const handle = createRequestHandler(build, "production");
const post = { method: "POST", body: new URLSearchParams({ name: "mine" }) };
async function urls(path, options) {
  await handle(new Request(`http://localhost${path}`, options));
  return `request.url ${seen[0]}, url ${seen[1]}`;
}
const routes = [{ path: "/" }, { path: "/page" }];
console.log("a link to /page:      ", await urls("/page.data"));
console.log("a form of the page /: ", await urls(`${process.argv[2]}?index`, post));
console.log("a route for /page.data:", matchRoutes(routes, "/page.data") ? "yes" : "none");
for (const path of ["/", "/?index"]) {
  const { status } = await handle(new Request(`http://localhost${path}`, post));
  console.log(`a form sent to ${path}:`, status);
}
JS
  node ask.js "$3" 2> errors.log || { cat errors.log; exit 1; }
}

eight=$(ask 8.4.0 "" /_.data)
seven=$(ask 7.18.4 "future: { v8_middleware: true }" /_root.data)
echo "Node $(node --version)"
printf '%s\n%s\n%s\n%s\n' "React Router 8.4.0" "$eight" "React Router 7.18.4" "$seven"
expected() { printf '%s\n' "a link to /page:       request.url $1, url /page" "a form of the page /:  request.url $2, url /" \
  "a route for /page.data: none" "a form sent to /: 405" "a form sent to /?index: 200"; }
[ "$eight" = "$(expected /page.data '/_.data?index')" ] && [ "$seven" = "$(expected /page '/?index')" ] ||
  { echo "changed"; exit 1; }
