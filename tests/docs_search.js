// Does the search of the built site bring the right page among the first three, for everyday words?
//     node tests/docs_search.js docs/_site
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const PAGES = {
  "logout all devices": ["recipes/end-sessions"],
  "sign out everywhere": ["recipes/end-sessions"],
  "list active sessions": ["recipes/end-sessions"],
  "change password": ["recipes/end-sessions"],
  "revoke token": ["recipes/end-sessions", "services"],
  "token blacklist": ["moving/token-blacklist"],
  TokenAuthentication: ["moving/authtoken"],
  authtoken: ["moving/authtoken"],
  "refresh token cookie": ["recipes/cookies"],
  "httponly cookie": ["recipes/cookies"],
  csrf: ["recipes/cookies"],
  cors: ["recipes/javascript"],
  "multiple tabs refresh": ["recipes/javascript"],
  "axios interceptor": ["recipes/javascript"],
  "next.js": ["recipes/nextjs"],
  nextauth: ["recipes/nextjs"],
  "server-side rendering": ["recipes/nextjs"],
  sveltekit: ["recipes/sveltekit"],
  "svelte form actions": ["recipes/sveltekit"],
  nuxt: ["recipes/nuxt"],
  postman: ["api"],
  vercel: ["recipes/nextjs", "proxies"],
  android: ["recipes/apps"],
  "ios keychain": ["recipes/apps"],
  okhttp: ["recipes/apps", "devices"],
  httpx: ["recipes/python", "dpop"],
  "python script": ["recipes/python"],
  "python requests": ["recipes/python"],
  "python client refresh": ["recipes/python"],
  "desktop program": ["recipes/python"],
  keyring: ["recipes/python"],
  asyncio: ["recipes/python"],
  "custom claims": ["recipes/claims"],
  "custom user model": ["existing-project"],
  "magic link": ["recipes/login-view"],
  "idle timeout": ["recipes/session-policy"],
  "maximum sessions per user": ["recipes/session-policy"],
  graphql: ["recipes/outside-drf"],
  websocket: ["recipes/channels"],
  mqtt: ["recipes/rabbitmq"],
  mosquitto: ["recipes/rabbitmq"],
  eventstream: ["recipes/outside-drf"],
  "socket.io": ["recipes/socketio"],
  socketio: ["recipes/socketio"],
  mcp: ["recipes/mcp"],
  "ai agent": ["recipes/mcp"],
  "claude connector": ["recipes/mcp"],
  "device flow": ["integrations/oauth-toolkit"],
  tv: ["integrations/oauth-toolkit", "recipes/apps"],
  "command line login": ["integrations/oauth-toolkit"],
  "dynamic client registration": ["recipes/mcp"],
  pytest: ["recipes/tests"],
  "test client login": ["recipes/tests"],
  "impossible travel": ["risk"],
  "email notification new device": ["risk"],
  "brute force": ["security"],
  "session fixation": ["threats"],
  "owasp asvs": ["threats"],
  "rate limit": ["security"],
  "2fa": ["step-up"],
  "remember me": ["trusted-devices"],
  "google login": ["sign-in-methods"],
  "login as user": ["impersonation"],
  "stolen token": ["dpop"],
  "rotate secret key": ["keys", "operations"],
  "nginx ip address": ["proxies"],
  "load balancer": ["proxies"],
  kubernetes: ["recipes/kubernetes"],
  "docker compose": ["recipes/docker"],
  "health check": ["operations"],
  "cron cleanup": ["operations"],
  celery: ["operations", "risk", "signals"],
  "gdpr delete user": ["operations"],
  prometheus: ["recipes/metrics"],
  fastapi: ["verifier"],
  "audit log": ["audit"],
  webhook: ["signals", "ssf"],
  "error codes": ["api"],
  "token refused": ["recipes/refused-tokens"],
  "401 unauthorized": ["recipes/refused-tokens", "api"],
  token_not_valid: ["recipes/refused-tokens", "api"],
  uninstall: ["operations"],
  "backup restore": ["operations"],
  "labels aren't unique": ["existing-project"],
  "app label": ["existing-project"],
  install: ["tutorial"],
};

// What Sphinx's scripts ask of a browser.
let asked = "";
const context = {
  document: { getElementById: () => ({}) },
  location: { get search() { return `?${new URLSearchParams({ q: asked })}`; } },
  localStorage: { setItem() {} },
  SPHINX_HIGHLIGHT_ENABLED: false,
  _ready() {},
  URLSearchParams,
};
context.window = vm.createContext(context);
const scripts = ["documentation_options", "base-stemmer", "language_data", "searchtools"];
for (const file of [...scripts.map((name) => `_static/${name}.js`), "searchindex.js"]) {
  const ending = file.includes("searchtools") ? "\nwindow.Search = Search;" : "";
  vm.runInContext(fs.readFileSync(path.join(process.argv[2], file), "utf8") + ending, context);
}

for (const [query, pages] of Object.entries(PAGES)) {
  asked = query;
  const found = context.Search._performSearch(...context.Search._parseQuery(query)).reverse();
  const first = found.slice(0, 3).map(([page]) => page);
  if (!first.some((page) => pages.includes(page))) {
    console.error(`"${query}" brings ${first.join(", ") || "nothing"}, not ${pages.join(" or ")}`);
    process.exitCode = 1;
  }
}
