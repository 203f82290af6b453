"""What the findings about DBSC share: a server over HTTPS, and a Chromium with keys in software.

Chromium registers nothing where the error of a certificate is merely ignored, so it gets a home that trusts
an authority of our own (certutil, Debian: libnss3-tools).
"""

import datetime
import json
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Request = SimpleNamespace
Answer = tuple[int, list[tuple[str, str]], bytes]

COOKIE = "__Host-bound"
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
QUOTA_OFF = "DeviceBoundSessions:RefreshQuota/false"


class Site:
    """Registers at /login and /register, renews at /refresh; all else is a page. `asked` is what came."""

    def __init__(self, folder: str) -> None:
        self.folder, self.asked, self.rules = folder, [], {}
        self.session, self.age, self.renewals = "session", 600, 0
        self.attributes, self.more = ATTRIBUTES, {}
        self.endpoints = {
            "/login": self.login,
            "/register": self.register,
            "/refresh": self.refresh,
        }
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                # The handler stays for the next request of the connection.
                request = SimpleNamespace(path=self.path, headers=self.headers)
                site.asked.append(request)
                answer = site.rules.get(self.path) or site.endpoints.get(self.path, site.page)
                status, headers, body = answer(request)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(make_certificate(folder))
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        port = self.server.server_port
        self.url, self.elsewhere = f"https://site.test:{port}", f"https://other.test:{port}"

    def page(self, request: Request) -> Answer:
        return (
            200,
            [("Content-Type", "text/html")],
            b"<!doctype html><link rel=icon href=data:,><p>page",
        )

    def login(self, request: Request) -> Answer:
        status, headers, body = self.page(request)
        registration = '(ES256 RS256);path="/register";challenge="challenge"'
        cookie = f"login=1; {ATTRIBUTES}"
        return (
            status,
            [*headers, ("Set-Cookie", cookie), ("Secure-Session-Registration", registration)],
            body,
        )

    def register(self, request: Request) -> Answer:
        return self.instructions(self.session)

    def refresh(self, request: Request) -> Answer:
        session = request.headers["Sec-Secure-Session-Id"].strip('"')
        if not request.headers["Secure-Session-Response"]:
            # Another one each time: for the same one Chromium sends the signature it has, beside its quota.
            challenge = f'"challenge{self.renewals}";id="{session}"'
            return 403, [("Secure-Session-Challenge", challenge)], b""
        self.renewals += 1
        return self.instructions(session)

    def instructions(self, session: str) -> Answer:
        told = {
            "session_identifier": session,
            "refresh_url": "/refresh",
            "scope": {"include_site": False},
            "credentials": [{"type": "cookie", "name": COOKIE, "attributes": self.attributes}],
            **self.more,
        }
        cookie = f"{COOKIE}={session}; Max-Age={self.age}; {ATTRIBUTES}"
        return (
            200,
            [("Content-Type", "application/json"), ("Set-Cookie", cookie)],
            json.dumps(told).encode(),
        )

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.asked if request.path == path]


def cookies(request: Request) -> set[str]:
    return {
        each.split("=")[0].strip() for each in request.headers.get("Cookie", "").split(";") if each
    }


def make_certificate(folder: str) -> str:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def build(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("finding"))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - day).not_valid_after(now + day)

    ca = build("finding", ca_key).add_extension(x509.BasicConstraints(True, None), True)
    names = x509.SubjectAlternativeName([x509.DNSName("site.test"), x509.DNSName("other.test")])
    site = build("site.test", key).add_extension(names, False)
    with open(f"{folder}/ca.pem", "wb") as file:
        file.write(ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    with open(f"{folder}/site.pem", "wb") as file:
        file.write(site.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    store = f"{folder}/home/.pki/nssdb"
    os.makedirs(store)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    add = [
        "certutil",
        "-d",
        f"sql:{store}",
        "-A",
        "-t",
        "C,,",
        "-n",
        "finding",
        "-i",
        f"{folder}/ca.pem",
    ]
    subprocess.run(add, check=True)
    return f"{folder}/site.pem"


def launch(playwright: Any, site: Site, sessions: str = QUOTA_OFF) -> Any:
    """A Chromium with a profile of its own; Debian's build has DBSC switched off."""
    features = f"{sessions},EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"],
        args=[
            "--no-sandbox",
            "--disable-background-networking",
            f"--enable-features={features}",
            "--host-resolver-rules=MAP *.test 127.0.0.1",
        ],
        env={**os.environ, "HOME": f"{site.folder}/home"},
    )
    return browser


def told(page: Any) -> list[dict[str, Any]]:
    """What the browser does about bound sessions from now on, as its developer tools tell it."""
    events: list[dict[str, Any]] = []
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.enableDeviceBoundSessions", {"enable": True})
    devtools.on("Network.deviceBoundSessionEventOccurred", lambda event: events.append(event))
    return events
