"""The site over HTTPS, by a certificate that Chromium trusts, for sessions bound to a key (DBSC).

With an error of a certificate that is ignored by a flag, Chromium loads the page and registers nothing.
"""

import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread, QuietWSGIRequestHandler
from pytest_django.live_server_helper import LiveServer

# Debian's package libnss3-tools.
CERTUTIL = shutil.which("certutil")
FEATURES = (
    # Debian's build has it switched off. A browser signs six times in nine minutes, too seldom for tests.
    "DeviceBoundSessions:RefreshQuota/false",
    # Keys without a TPM.
    "EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
)


class SecureHandler(QuietWSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        # As wsgiref's own server has it of a process that serves HTTPS alone.
        return {**super().get_environ(), "HTTPS": "on"}


class SecureServer(ThreadedWSGIServer):
    """Django's server, which ends with its threads.

    A browser keeps its connections open. A thread that waits for the next request would outlive the test that
    shares its database with it.
    """

    daemon_threads = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.connected: set[socket.socket] = set()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connected.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self.connected.discard(request)
        super().close_request(request)

    def server_close(self) -> None:
        for each in self.connected.copy():
            with contextlib.suppress(OSError):  # closed by now
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        super().server_close()


class SecureServerThread(LiveServerThread):
    """Django's server for tests, over TLS."""

    def __init__(self, *args: Any, certificate: Path, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.certificate = certificate

    def _create_server(self, connections_override: Any = None) -> Any:
        server = SecureServer(
            (self.host, self.port),
            SecureHandler,
            allow_reuse_address=False,
            connections_override=connections_override,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        # Not while others wait to be accepted: a browser opens connections in advance.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        return server


class SecureSite(LiveServer):
    """What the fixture `live_server` is, over HTTPS."""

    def __init__(self, certificate: Path) -> None:
        super().__init__("localhost", start=False)
        self.thread = SecureServerThread(
            "localhost",
            StaticFilesHandler,
            connections_override=self.thread.connections_override,
            certificate=certificate,
        )
        self.thread.daemon = True
        self.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.thread.port}"

    @property
    def elsewhere(self) -> str:
        """The same site by another name, which is another site to a browser."""
        return f"https://127.0.0.1:{self.thread.port}"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine with its key, and the authority that signed it."""
    now, day = datetime.now(UTC), timedelta(days=1)

    def build(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        of = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        builder = x509.CertificateBuilder().subject_name(of).issuer_name(by)
        builder = builder.public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - day).not_valid_after(now + day)

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = build("Authority of a test", ca_key)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    site = build("localhost", key)
    site = site.add_extension(x509.SubjectAlternativeName(names), critical=False)
    authority, certificate = folder / "authority.pem", folder / "certificate.pem"
    authority.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    certificate.write_bytes(
        site.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return certificate, authority


def trust(home: Path, authority: Path) -> None:
    """Let programs with this home trust what the authority signs."""
    assert CERTUTIL is not None
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    where = ["-d", f"sql:{database}"]
    for command in (
        ["-N", "--empty-password"],
        ["-A", "-t", "C,,", "-n", "test", "-i", str(authority)],
    ):
        subprocess.run([CERTUTIL, *where, *command], check=True, capture_output=True)
