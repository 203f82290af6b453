#!/usr/bin/env bash
# Auth.js and Next.js: what the callback `jwt` returns while a page is rendered is thrown away.
#
# Guess: the callback is called when a page asks for the session, and its new token is in the cookie from then on, as
# the guides to refresh tokens need it.
# Seen: a page cannot set cookies. Each page begins with the same old token again, so that one that the callback has
# exchanged for another is exchanged once more by the next page. Only `/api/auth/session`, which scripts in the browser
# ask, stores it, and Auth.js 5 as the proxy of Next.js. A server that ends a session when a used refresh token comes
# back does so here.
set -euo pipefail
folder=$(mktemp -d); trap 'kill $(jobs -p) 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
export NEXT_TELEMETRY_DISABLED=1 AUTH_TRUST_HOST=true
echo '{"private": true}' > package.json
npm install --silent --no-audit --no-fund next@16.4.6 react@19.3.1 react-dom@19.3.1

site() { # the version, and what its module exports
    npm install --silent --no-audit --no-fund "next-auth@$1"
    mkdir -p "app/api/auth/[...nextauth]"
    cat > auth.js <<JS
import NextAuth from "next-auth";
import Credentials from "next-auth/providers/credentials";
const options = {
  secret: "a secret for this script, which is of no use elsewhere",
  session: { strategy: "jwt" },
  providers: [Credentials({ credentials: {}, authorize: () => ({ id: "1", name: "alice" }) })],
  callbacks: {
    jwt: ({ token, user }) => ({ ...token, exchanged: user ? 0 : token.exchanged + 1 }),
    session: ({ session, token }) => ({ ...session, exchanged: token.exchanged }),
  },
};
$2
JS
    cat > "app/api/auth/[...nextauth]/route.js" <<'JS'
export { GET, POST } from "../../../../auth.js";
JS
    cat > app/layout.js <<'JS'
export default function Layout({ children }) {
  return <html><body>{children}</body></html>;
}
JS
    cat > app/page.js <<'JS'
import { auth } from "../auth.js";
export default async function Page() {
  return <p>{(await auth())?.exchanged}</p>;
}
JS
    rm -rf .next
    node_modules/.bin/next build > build.log 2>&1 || { cat build.log; exit 1; }
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    NEXTAUTH_URL=http://localhost:$port node_modules/.bin/next start -p "$port" > start.log 2>&1 &
    for _ in $(seq 100); do curl -s -o /dev/null "localhost:$port" && break; sleep 0.2; done
    rm -f jar
    get() { curl -s -b jar -c jar "http://localhost:$port$1" "${@:2}"; }
    csrf=$(get /api/auth/csrf | sed 's/.*"csrfToken":"\([^"]*\)".*/\1/')
    get /api/auth/callback/credentials -o /dev/null -d "csrfToken=$csrf"
    page() { get / | grep -o '<p>[0-9]*</p>' | tr -dc 0-9; }
    seen="pages $(page) $(page) $(page)"
    seen+=", then the API $(get /api/auth/session | sed 's/.*"exchanged":\([0-9]*\).*/\1/'), then a page $(page)"
    kill %+
    wait %+ 2> /dev/null || true
}

four='import { getServerSession } from "next-auth";
const handler = NextAuth(options);
export { handler as GET, handler as POST };
export const auth = () => getServerSession(options);'
five='export const { handlers: { GET, POST }, auth } = NextAuth(options);'

site 4.24.15 "$four"; v4=$seen
site 5.0.0-beta.32 "$five"; v5=$seen
echo 'export { auth as proxy } from "./auth.js";' > proxy.js
site 5.0.0-beta.32 "$five"; as_proxy=$seen

echo "Node $(node --version), next 16.4.6; how often the token that a page shows had been exchanged:"
echo "next-auth 4.24.15:                   $v4"
echo "next-auth 5.0.0-beta.32:             $v5"
echo "next-auth 5.0.0-beta.32 as a proxy:  $as_proxy"
[[ $v4 == "pages 1 1 1, then the API 1, then a page 2" ]] || { echo "the behaviour has changed"; exit 1; }
[[ $v5 == "$v4" ]] || { echo "the behaviour has changed"; exit 1; }
[[ $as_proxy == "pages 1 2 3,"* ]] || { echo "the behaviour has changed"; exit 1; }
