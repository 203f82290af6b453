#!/usr/bin/env bash
# TanStack Query, Apollo, SWR: what empties the cache at a sign-out leaves what it has kept of the person.
#
# Guess: `queryClient.clear()`, `client.clearStore()` and SWR's `mutate(() => true, undefined, { revalidate: false })`, called at a
# sign-out, leave nothing that the next person could see; a copy that was stored for the next start is emptied with the cache.
# Seen: TanStack's persister stores the emptied cache after a second. If the page is closed or loaded anew before that, the next person
# sees the data of the one before, until theirs have come. apollo3-cache-persist does not notice `clearStore()` at all: the
# next person sees the other one's data, also after minutes, and Apollo does not ask the server.
# A mutation of TanStack Query that is being repeated (`retry`) goes on after `clear()`, with the token of the next person.
# SWR's `mutate` leaves the lists of `useSWRInfinite`; and what was asked for within the last two seconds is not asked for
# again: after four seconds the next person still waits. Its newer `unload({ revalidate: false })` empties all.
#
# Needs Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund --legacy-peer-deps @tanstack/query-core@5.108.4 \
  @tanstack/query-persist-client-core@5.104.5 @tanstack/query-sync-storage-persister@5.104.4 @apollo/client@4.3.8 graphql@16.12.0 \
  rxjs@7.8.2 apollo3-cache-persist@0.15.0 swr@2.5.1 react@19.1.1 react-dom@19.1.1 jsdom@26.1.0
cat > page.js <<'JS'
// A page, from its start until it is left. What is stored, and who is signed in, stays for the next one.
import { readFileSync, writeFileSync } from "node:fs";
const [library, way, wait] = process.argv.slice(2);
const kept = JSON.parse(readFileSync("storage.json"));
const store = () => writeFileSync("storage.json", JSON.stringify(kept));
const storage = {
  getItem: (key) => kept[key] ?? null,
  setItem(key, value) { kept[key] = value; store(); },
  removeItem(key) { delete kept[key]; store(); },
};
const pause = (time) => new Promise((done) => setTimeout(done, time));
let who = "Alice";
const answer = async () => {
  await pause(50);
  return who;
};

const libraries = {
  async tanstack() {
    const { QueryClient, QueryObserver } = await import("@tanstack/query-core");
    const { persistQueryClient } = await import("@tanstack/query-persist-client-core");
    const { createSyncStoragePersister } = await import("@tanstack/query-sync-storage-persister");
    const queryClient = new QueryClient();
    const persister = createSyncStoragePersister({ storage });
    const [, restored] = persistQueryClient({ queryClient, persister });
    await restored;
    const asked = () => new QueryObserver(queryClient, { queryKey: ["me"], queryFn: answer, gcTime: 86_400_000 });
    function empty() {
      queryClient.clear();
      if (way === "right") persister.removeClient();
    }
    return { empty, show: (see) => asked().subscribe(({ data }) => see(data)) };
  },
  async apollo() {
    const { ApolloClient, ApolloLink, InMemoryCache, Observable, gql } = await import("@apollo/client");
    const { CachePersistor, LocalStorageWrapper } = await import("apollo3-cache-persist");
    const cache = new InMemoryCache();
    const persistor = new CachePersistor({ cache, storage: new LocalStorageWrapper(storage) });
    await persistor.restore();
    const link = new ApolloLink(() => new Observable((observer) => {
      answer().then((me) => { observer.next({ data: { me } }); observer.complete(); });
    }));
    const client = new ApolloClient({ cache, link });
    function empty() {
      client.clearStore();
      if (way === "right") persistor.purge();
    }
    return { empty, show: (see) => client.watchQuery({ query: gql`{ me }` }).subscribe(({ data }) => see(data?.me)) };
  },
};
const { show, empty } = await libraries[library]();
const seen = [];
const see = (name) => name && seen.at(-1) !== name && seen.push(name);
if (wait !== undefined) {
  show(see);
  await pause(1500);
  empty();
  await pause(Number(wait));
} else {
  who = "Bob";
  show(see);
  await pause(500);
  console.log(seen.join(", then "));
}
process.exit();
JS
cat > swr.js <<'JS'
import { JSDOM } from "jsdom";
const { window } = new JSDOM("<div></div>", { pretendToBeVisual: true });
const { document } = window;
Object.assign(globalThis, { window, document });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
const { createElement: make } = await import("react");
const { createRoot } = await import("react-dom/client");
const { default: useSWR, mutate, unload } = await import("swr");
const { default: useSWRInfinite } = await import("swr/infinite");
const pause = (time) => new Promise((done) => setTimeout(done, time));
let who;
const answer = async () => who;
function Page() {
  const { data } = useSWR("/me", answer);
  const { data: list } = useSWRInfinite((page) => `/list?page=${page}`, answer);
  return `page of ${data ?? "nobody"}, list of ${list ?? "nobody"}`;
}
const [box] = document.getElementsByTagName("div");
async function visit(name, time) {
  who = name;
  const root = createRoot(box);
  root.render(make(Page));
  await pause(time);
  const seen = box.textContent;
  root.unmount();
  return seen;
}
const ways = {
  mutate: () => mutate(() => true, undefined, { revalidate: false }),
  unload: () => unload({ revalidate: false }),
};
for (const [name, empty] of Object.entries(ways)) {
  await visit("Alice", 500);
  await empty();
  console.log(`SWR, ${name}:`, await visit("Bob", 4000));
  await pause(3000);
  await unload({ revalidate: false });
}
process.exit();
JS
cat > mutation.js <<'JS'
import { MutationObserver, QueryClient } from "@tanstack/query-core";
const pause = (time) => new Promise((done) => setTimeout(done, time));
const client = new QueryClient();
let who = "Alice";
const sent = [];
async function mutationFn() {
  sent.push(who);
  throw new Error("503");
}
new MutationObserver(client, { mutationFn, retry: 1, retryDelay: 100 }).mutate().catch(() => {});
await pause(50);
client.clear();
who = "Bob";
await pause(300);
console.log(sent.join(", then "));
JS
next() {  # library, way, milliseconds until the page is left
  echo '{}' > storage.json
  node page.js "$@"
  node page.js "$1" "$2"
}
seen="TanStack Query, clear(), left at once:       $(next tanstack wrong 0)
TanStack Query, clear(), left after 1.5 s:   $(next tanstack wrong 1500)
TanStack Query, also removeClient():         $(next tanstack right 0)
Apollo, clearStore(), left after 1.5 s:      $(next apollo wrong 1500)
Apollo, also purge():                        $(next apollo right 0)
a mutation of Alice, sent as:                $(node mutation.js)
$(node swr.js)"
echo "Node $(node --version), @tanstack/query-core 5.108.4, @apollo/client 4.3.8, apollo3-cache-persist 0.15.0, SWR 2.5.1. Bob sees:"
echo "$seen"
[ "$seen" = "TanStack Query, clear(), left at once:       Alice, then Bob
TanStack Query, clear(), left after 1.5 s:   Bob
TanStack Query, also removeClient():         Bob
Apollo, clearStore(), left after 1.5 s:      Alice
Apollo, also purge():                        Bob
a mutation of Alice, sent as:                Alice, then Bob
SWR, mutate: page of nobody, list of Alice
SWR, unload: page of Bob, list of Bob" ] || { echo "changed"; exit 1; }
