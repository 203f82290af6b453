#!/usr/bin/env bash
# httpx, requests, aiohttp, axios and got: an upload that is repeated after a 401 may be sent empty, and is answered 200.
#
# Guess: a body that can be read once makes the second request fail (httpx has StreamConsumed for it), or is sent again
# from its start.
# Seen: the second request reads on where the first one has stopped, which is the end. An auth of httpx that refreshes as
# its guide shows, requests' HTTPDigestAuth and a middleware of aiohttp that sends the request again send an empty body
# where the body is an iterator, or has `read` and no known length, as what shows the progress of an upload does. httpx
# raises StreamConsumed for generators alone, and LocalProtocolError for files, which it does not rewind. requests rewinds
# files, and sends nothing of a generator. Forms with files are sent whole. In Node, an interceptor of axios that sends the
# request again, as refreshing ones do, sends nothing of a file or another stream; got refuses to, but does for the streams of
# the Web.
#
# Needs Python 3.11 or newer, Node 20 or newer, and npm.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.34.2 aiohttp==3.14.5
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import httpx
import requests
from requests.auth import HTTPDigestAuth

came = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def chunks(self):
        while size := int(self.rfile.readline(), 16):  # a ValueError where the client has given up
            yield self.rfile.read(size)
            self.rfile.readline()

    def do_POST(self):
        if self.headers.get("Transfer-Encoding"):
            body = b"".join(self.chunks())
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        is_good = self.headers.get("Authorization", "").startswith(("Digest", "Bearer new"))
        came.append((is_good, body.decode()))
        self.send_response(200 if is_good else 401)
        if not is_good:
            self.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}/"


class Refreshing(httpx.Auth):
    token = "old"

    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        response = yield request
        if response.status_code == 401:
            self.token = "new"
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request


def file():
    made = tempfile.TemporaryFile()
    made.write(b"data")
    made.seek(0)
    return made


class Progress:
    """As what counts the bytes of an upload: it reads, and has no length."""

    def __init__(self):
        self.file = file()

    def read(self, size=-1):
        return self.file.read(size)

    def __iter__(self):
        return iter(self.file)


def generator():
    yield b"data"


async def async_generator():
    yield b"data"


async def by_aiohttp(body):
    token = "old"

    async def refreshing(request, handler):
        nonlocal token
        request.headers["Authorization"] = f"Bearer {token}"
        answer = await handler(request)
        if answer.status == 401:
            request.headers["Authorization"] = f"Bearer {(token := 'new')}"
            answer = await handler(request)
        return answer

    async with aiohttp.ClientSession(middlewares=(refreshing,)) as client, client.post(site, data=body) as answer:
        return answer.status


def by_httpx(body):
    return httpx.post(site, content=body, auth=Refreshing()).status_code


def by_requests(body):
    with requests.Session() as session:
        return session.post(site, data=body, auth=HTTPDigestAuth("alice", "secret")).status_code


print("httpx", httpx.__version__, "requests", requests.__version__, "aiohttp", aiohttp.__version__)
seen = {}
for name, send, make in (
    ("httpx, bytes", by_httpx, lambda: b"data"),
    ("httpx, file", by_httpx, file),
    ("httpx, generator", by_httpx, generator),
    ("httpx, iterator", by_httpx, lambda: iter([b"data"])),
    ("httpx, progress", by_httpx, Progress),
    ("requests, file", by_requests, file),
    ("requests, generator", by_requests, generator),
    ("requests, progress", by_requests, Progress),
    ("aiohttp, file", lambda body: asyncio.run(by_aiohttp(body)), file),
    ("aiohttp, generator", lambda body: asyncio.run(by_aiohttp(body)), async_generator),
):
    came.clear()
    try:
        told = send(make())
    except Exception as error:
        told = type(error).__name__
    taken = [body for is_good, body in came if is_good] if told == 200 else []
    seen[name] = told, taken
    print(f"{name}: answers {told}, the server has taken {taken}")
assert seen == {
    "httpx, bytes": (200, ["data"]),
    "httpx, file": ("LocalProtocolError", []),
    "httpx, generator": ("StreamConsumed", []),
    "httpx, iterator": (200, [""]),
    "httpx, progress": (200, [""]),
    "requests, file": (200, ["data"]),
    "requests, generator": (200, [""]),
    "requests, progress": (200, [""]),
    "aiohttp, file": (200, ["data"]),
    "aiohttp, generator": (200, [""]),
}, "the behaviour has changed"
PYTHON
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund axios@1.21.1 got@14.6.6
cat > upload.js <<'JS'
import assert from "node:assert";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import axios from "axios";
import got from "got";

const { version } = JSON.parse(readFileSync("node_modules/got/package.json"));
console.log("Node", process.version, "axios", axios.VERSION, "got", version);
writeFileSync("data.txt", "data");
let taken;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const isGood = request.headers.authorization === "new";
  if (isGood) taken.push(body);
  response.statusCode = isGood ? 200 : 401;
  response.end();
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const url = `http://127.0.0.1:${server.address().port}/`;

const api = axios.create({ headers: { Authorization: "old" } });
api.interceptors.response.use(undefined, (error) => {
  const { config, response } = error;
  if (response?.status !== 401 || config.isRetry) throw error;
  return api({ ...config, isRetry: true, headers: { ...config.headers, Authorization: "new" } });
});
const byAxios = async (body) => (await api.post(url, body)).status;

const again = (response, retry) => (response.statusCode === 401 ? retry({ headers: { authorization: "new" } }) : response);
const client = got.extend({ headers: { authorization: "old" }, hooks: { afterResponse: [again] } });
const byGot = async (body) => (await client.post(url, { body })).statusCode;

const file = () => createReadStream("data.txt");
const web = () => new Blob(["data"]).stream();
const seen = {};
for (const [name, send, make] of [
  ["axios, text", byAxios, () => "data"],
  ["axios, file", byAxios, file],
  ["got, text", byGot, () => "data"],
  ["got, file", byGot, file],
  ["got, stream of the Web", byGot, web],
]) {
  taken = [];
  const told = await send(make()).catch(({ code }) => code);
  seen[name] = [told, taken];
  console.log(`${name}: answers ${told}, the server has taken ${JSON.stringify(taken)}`);
}
server.close();
server.closeAllConnections();
assert.deepStrictEqual(seen, {
  "axios, text": [200, ["data"]],
  "axios, file": [200, [""]],
  "got, text": [200, ["data"]],
  "got, file": ["ERR_RETRYING", []],
  "got, stream of the Web": [200, [""]],
}, "the behaviour has changed");
JS
timeout 60 node upload.js
