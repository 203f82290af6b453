"""A site that tells services of its sessions, and a service that listens."""

import json
import random
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwk, jwt

from devices.contrib.ssf import endpoint, push
from devices.core import service_clients
from devices.core.keys import keyring
from tests.client import Device
from tests.keys import rotate
from tests.test_services import SECRET, basic

ISSUER = "https://devices.test"
HOST = "receiver.test"


@pytest.fixture
def ssf(settings: Any, db: None) -> Iterator[None]:
    """The transmitter, as two services may use it."""
    settings.ROOT_URLCONF = "tests.devices.contrib.ssf.urls"
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ISSUER": ISSUER}
    secret = service_clients.digest(SECRET)
    settings.DEVICES = {
        **settings.DEVICES,
        "SIGNING_KEYS": "database",
        "SERVICE_CLIENTS": {
            "reports": {"secret": secret, "may": ["ssf"]},
            "billing": {"secret": secret, "may": ["ssf"]},
            "desk": {"secret": secret, "may": ["introspect"]},
        },
    }
    keyring.reset()
    rotate()
    rotate()
    yield
    keyring.reset()


class Service:
    """What a service does, by HTTP alone; SETs are read by joserfc."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        address = f"/ssf/{path}" + (
            "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
        )
        return self.client.generic(
            method,
            address,
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            HTTP_AUTHORIZATION=basic(self.name),
        )

    def create(self, **values: Any) -> dict[str, Any]:
        answer = self.ask("POST", "stream", values)
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    def poll(self, stream: dict[str, Any], **values: Any) -> dict[str, dict[str, Any]]:
        """The claims of what comes next, by their `jti`."""
        values = {"returnImmediately": True, **values}
        answer = self.ask("POST", "poll", values, stream_id=stream["stream_id"])
        assert answer.status_code == 200, answer.content
        return {jti: read(text, self.name) for jti, text in answer.json()["sets"].items()}

    def drain(self, stream: dict[str, Any]) -> list[dict[str, Any]]:
        """Everything that comes, each acknowledged."""
        heard: list[dict[str, Any]] = []
        while found := self.poll(stream):
            heard += found.values()
            self.poll(stream, ack=list(found), maxEvents=0)
        return heard


def published() -> jwk.KeySet:
    return jwk.KeySet.import_key_set(Device().get("/.well-known/jwks.json").json())


def read(text: str, audience: str, keys: jwk.KeySet | None = None) -> dict[str, Any]:
    """Check a SET as a service does (SSF 1.0 §4.1), by the published keys."""
    keys = keys or published()
    token = jwt.decode(text, keys, algorithms=["ES256"])
    assert token.header["typ"] == "secevent+jwt"
    claims = dict(token.claims)
    assert claims["iss"] == ISSUER
    assert claims["aud"] == audience
    assert not {"sub", "exp"} & claims.keys()
    return claims


@pytest.fixture
def reports(ssf: None, client: Any) -> Service:
    return Service(client, "reports")


@pytest.fixture
def billing(ssf: None, client: Any) -> Service:
    return Service(client, "billing")


class Receiver:
    """A service over TLS that events are pushed to. `answers` says what it does with each request."""

    def __init__(self, port: int) -> None:
        self.url = f"https://{HOST}:{port}/events"
        # What came, with its header; what it took, each once by its `jti`.
        self.requests: list[tuple[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.answers = lambda: "take"

    def fails_half_the_time(self, seed: int) -> None:
        """Before it took the event, after it (the answer is lost), or by refusing it."""
        draw = random.Random(seed)
        self.answers = lambda: draw.choice(["take", "take", "take", "lose", "drop", "500"])


@pytest.fixture
def receiver(monkeypatch: Any, tmp_path: Any) -> Iterator[Receiver]:
    """It has a certificate that the site trusts, and a name that leads to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    trusting = _serve_tls(server, tmp_path)
    server.receiver = Receiver(server.server_port)  # type: ignore[attr-defined]
    monkeypatch.setattr(endpoint, "context", lambda: trusting)
    monkeypatch.setattr(endpoint, "public_address", lambda host, port: "127.0.0.1")
    monkeypatch.setattr(push, "FIRST_WAIT", timedelta(0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.receiver  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        receiver.requests.append((text, dict(self.headers)))
        what = receiver.answers()
        if what in ("take", "lose") and text not in receiver.taken:
            receiver.taken.append(text)  # type: ignore[arg-type]
        if what in ("lose", "drop"):
            self.close_connection = True
            self.connection.close()
            return
        if what == "trickle":
            self._trickle()
            return
        status = {"take": 202}.get(what) or int(what)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", receiver.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _trickle(self) -> None:
        """Answer within three seconds, in sixty pieces, unless nobody listens any more."""
        try:
            self.wfile.write(b"HTTP/1.1 202 Accepted\r\n")
            for i in range(60):
                self.wfile.write(b"X-%d: x\r\n" % i)
                threading.Event().wait(0.05)
            self.wfile.write(b"Content-Length: 0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Not into the output of the tests."""


def _serve_tls(server: ThreadingHTTPServer, folder: Any) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, SHA256())
    )
    file = folder / "receiver.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    return ssl.create_default_context(cafile=str(file))
