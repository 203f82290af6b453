#!/usr/bin/env bash
# Astro: a site that is not told its own hosts takes the forms of its own pages for those of other sites.
#
# Guess: behind a proxy that ends TLS and sets X-Forwarded-Proto and X-Forwarded-Host, a form works as it did on the developer's machine.
# Without a proxy the host and the port are those of the request.
# Seen: the server of @astrojs/node believes neither header before the host is named in `security.allowedDomains`. It compares the
# `Origin` of a form, https://shop.example.org, with http://shop.example.org, and answers 403 to each, the login and the
# sign-out among them. Astro 5.18.2 does not even believe `Host`: the site is http://localhost without a port for it, so that
# a form on http://127.0.0.1:4321 or http://localhost:4321 is refused, too. With `allowedDomains` both take them.
#
# Needs Node 22.12 or newer, which Astro 7 asks for; npm brings it along. Needs npm, curl and Python.
set -euo pipefail
for program in npm curl python3; do
  command -v "$program" >/dev/null || { echo "needs $program"; exit 2; }
done
folder=$(mktemp -d)
server=
trap 'kill $server 2> /dev/null || true; rm -rf "$folder"' EXIT

install() {  # version of Astro, of its adapter
  mkdir -p "$folder/$1/src/pages"
  cd "$folder/$1"
  echo '{"type": "module"}' > package.json
  npm install --silent --no-audit --no-fund "astro@$1" "@astrojs/node@$2" node@22.23.3
  cat > src/pages/index.astro <<'ASTRO'
---
const posted = Astro.request.method === "POST";
---
<p>{posted ? "posted" : "page"}</p>
ASTRO
}
serve() {  # more of the configuration
  cat > astro.config.mjs <<JS
import { defineConfig } from "astro/config";
import node from "@astrojs/node";
export default defineConfig({ output: "server", adapter: node({ mode: "standalone" }), $1 });
JS
  ASTRO_TELEMETRY_DISABLED=1 node_modules/.bin/node node_modules/.bin/astro build > build.log 2>&1 || { cat build.log; exit 1; }
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  HOST=127.0.0.1 PORT=$port node_modules/.bin/node dist/server/entry.mjs > serve.log 2>&1 &
  server=$!
  until curl --silent --output page.txt "http://127.0.0.1:$port/"; do sleep 0.2; done
}
form() {  # origin, more headers
  curl --silent --output page.txt --write-out '%{http_code} ' -d name=x -H "Origin: $1" "${@:2}" "http://127.0.0.1:$port/"
}
ask() {
  form "http://127.0.0.1:$port"
  form https://shop.example.org -H 'Host: shop.example.org' -H 'X-Forwarded-Host: shop.example.org' -H 'X-Forwarded-Proto: https'
  form https://evil.example -H 'Host: shop.example.org' -H 'X-Forwarded-Host: shop.example.org' -H 'X-Forwarded-Proto: https'
  kill "$server"
}
DOMAINS='security: { allowedDomains: [{ hostname: "shop.example.org" }, { hostname: "127.0.0.1" }] }'
seen=
for versions in "5.18.2 9.5.5" "7.3.5 11.1.6"; do
  read -r astro adapter <<< "$versions"
  install "$astro" "$adapter"
  serve ""
  seen+="Astro $astro, as it comes:      $(ask)
"
  serve "$DOMAINS"
  seen+="Astro $astro, allowedDomains:   $(ask)
"
done
echo "Forms of the own page without a proxy, of the own page behind one, and of another site:"
printf '%s' "$seen"
[ "$(echo "$seen" | grep -oE '([0-9]{3} ){3}' | tr -d '\n')" = "403 403 403 200 200 403 200 403 403 200 200 403 " ] ||
  { echo "changed"; exit 1; }
