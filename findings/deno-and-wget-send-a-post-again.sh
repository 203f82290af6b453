#!/usr/bin/env bash
# Deno and wget: a POST whose answer is lost is sent again without being asked; by wget up to twenty times.
#
# Guess: of a client without a library for retries, a POST is sent once (RFC 9110 §9.2.2), as with Node, Bun and curl.
# Seen: Deno's `fetch` sends it again, with the same body and headers, where a connection that was used before ends
# without an answer; a DPoP proof comes as a replay. On a connection of its own the request fails, and is sent once.
# wget repeats a POST whenever its connection ends without an answer or `--timeout` is over: `--tries` is 20 where nobody
# says otherwise. So where a login takes longer than `--timeout`, one command makes twenty sessions. wget does not repeat
# an answer such as 503.
#
# Needs Node 20 or newer, npm, wget and curl.
set -euo pipefail
for program in npm wget curl; do command -v $program >/dev/null || { echo "needs $program"; exit 2; }; done
folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill $server; rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund deno@2.9.6 bun@1.4.5
cat > server.py <<'PYTHON'
"""/lost reads a POST and ends the connection, /first does so for the first one, /late answers after a second."""

import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path != "/came":
            return self.answer(200)
        assert set(came) == {("token", "once")}
        self.answer(200, str(len(came)))
        came.clear()

    def do_POST(self):
        came.append((self.rfile.read(int(self.headers["Content-Length"])).decode(), self.headers["X-Proof"]))
        if self.path == "/lost" or (self.path == "/first" and len(came) == 1):
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if self.path == "/late":
            time.sleep(1)
        self.answer(503 if self.path == "/503" else 200)

    def log_message(self, *args):
        pass


class Servers(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """Nobody waits for a late answer any more."""


server = Servers(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
cat > post.js <<'JS'
const [url, kept] = globalThis.Deno ? Deno.args : process.argv.slice(2);
if (kept) await (await fetch(new URL("/", url))).text();
const sent = fetch(url, { method: "POST", body: "token", headers: { "X-Proof": "once" } });
console.log(await sent.then((answer) => answer.status, (error) => error.name));
JS
python3 server.py > port & server=$!
until test -s port; do sleep 0.1; done
site=http://127.0.0.1:$(cat port)
try() {  # a name, how often it has to be sent, what the client has to tell; then the command
  local name=$1 times=$2 tells=$3 told came
  shift 3
  told=$("$@" 2>/dev/null) || told="error $?"
  came=$(curl -s "$site/came")
  echo "$name: sent $came times, tells: $told"
  test "$came" = "$times" && test "$told" = "$tells" || { echo "the behaviour has changed"; exit 1; }
}
deno=$folder/node_modules/.bin/deno bun=$folder/node_modules/.bin/bun
export DENO_DIR=$folder/deno DENO_NO_UPDATE_CHECK=1
wget=(wget -q -O- --no-proxy --header "X-Proof: once" --post-data token)
curl=(curl -s -o /dev/null -w '%{http_code}' -H "X-Proof: once" -d token)
"$deno" --version | head -1; echo "Bun $("$bun" --version)"; echo "Node $(node --version)"
wget --version | head -1; curl --version | cut -d" " -f1,2 | head -1
try "Deno, a connection that was used before" 2 200 "$deno" run --quiet -A post.js "$site/first" kept
try "Deno, a new connection" 1 TypeError "$deno" run --quiet -A post.js "$site/first"
try "Bun, a connection that was used before" 1 TypeError "$bun" post.js "$site/first" kept
try "Node, a connection that was used before" 1 TypeError node post.js "$site/first" kept
try "curl" 1 "error 52" "${curl[@]}" "$site/first"
# Between the attempts wget waits 1, 2, 3 … 10 seconds; not here.
try "wget, the answer is lost" 20 "error 4" "${wget[@]}" --waitretry=0 "$site/lost"
try "wget, the answer is late" 20 "error 4" "${wget[@]}" --waitretry=0 --timeout=0.2 "$site/late"
try "wget --tries=1, the answer is late" 1 "error 4" "${wget[@]}" --tries=1 --timeout=0.2 "$site/late"
try "wget, the answer is 503" 1 "error 8" "${wget[@]}" "$site/503"
