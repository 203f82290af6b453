"""Gateways check the tokens of the site before they let a request through, as docs/gateways.md has it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from devices.core import service_clients
from tests.client import PASSWORD
from tests.dpop import Key
from tests.forge import claims_of
from tests.ports import free_port

from .servers import ROOT, certificate, client_at, environment, gunicorn, migrate, proxy, running

pytestmark = pytest.mark.own_database

PAGE = (ROOT / "docs" / "gateways.md").read_text()
MODULES = Path("/usr/lib/apache2/modules")
ISSUER, SECRET = "https://example.org", "a secret of the gateway"
ALICE = {"email": "alice@example.org", "password": PASSWORD}
APACHE = """
ServerName service.example.org
PidFile {folder}/gateway.pid
ErrorLog {folder}/gateway.log
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
OIDCOAuthSSLValidateServer Off
{shown}
RequestHeader set X-User "expr=%{{REMOTE_USER}}"
ProxyPass "/" "http://127.0.0.1:{service}/"
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
{shown}
backend service
    server service 127.0.0.1:{service}
"""
NEEDED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "headers",
    "auth_basic",
    "auth_openidc",
)
NEEDED += ("proxy", "proxy_http")


class Site:
    """The site at one port over HTTP and behind nginx at another, and tokens of its key."""

    def __init__(self, folder: Path, port: int, url: str, key: ec.EllipticCurvePrivateKey) -> None:
        self.folder, self.port, self.url, self._key = folder, port, url, key

    @contextmanager
    def person(self) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
        """Somebody who has just signed in, and the tokens."""
        with client_at(self.url) as client:
            yield client, client.post("/api/login", json=ALICE).json()

    def signed(self, token: str, *, by: Any = None, **changes: Any) -> str:
        """The token with other claims, or signed by another key."""
        header = jwt.get_unverified_header(token)
        named = {name: header[name] for name in ("kid", "typ")}
        return jwt.encode(claims_of(token) | changes, by or self._key, "ES256", named)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o777)
        certificate(folder)
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
        for each, key in zip(("key", "next_key"), keys, strict=True):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / each).write_bytes(pem)
        clients = {"reports": {"secret": service_clients.digest(SECRET), "may": ["introspect"]}}
        env = environment(
            folder,
            DJANGO_SETTINGS_MODULE="tests.proxies.gateways",
            KEY=f"{folder}/key",
            NEXT_KEY=f"{folder}/next_key",
            JWT_ISSUER=ISSUER,
            ALLOWED_HOSTS="api.example.org,127.0.0.1",
            SECURE_SSL_REDIRECT="false",
            DEVICES_SERVICE_CLIENTS=json.dumps(clients),
        )
        migrate(env)
        with gunicorn(folder, port, env), proxy("nginx", folder, port) as url:
            with client_at(url) as client:
                client.post("/api/register", json=ALICE)
            yield Site(folder, port, url, keys[0])


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    """A service that answers whom the gateway took the client for."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers.get("X-User", "").encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def shown(heading: str, kind: str) -> str:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    [text] = re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    return text


def program(name: str) -> str:
    found = shutil.which(name, path=f"{environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"NO GATEWAY: {name} is not installed")
    return found


@contextmanager
def apache(site: Site, service: int, text: str) -> Iterator[str]:
    command = program("apache2")
    if not (MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("NO GATEWAY: mod_auth_openidc is not installed")
    port = free_port()
    modules = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED]
    for old, new in {"https://example.org": site.url, "pX": f'"{SECRET}"'}.items():
        assert old in text
        text = text.replace(old, new)
    file = site.folder / f"gateway{port}.conf"
    file.write_text(
        APACHE.format(
            folder=site.folder, port=port, modules="\n".join(modules), shown=text, service=service
        )
    )
    with running(
        [command, "-f", str(file), "-DFOREGROUND"], site.folder / f"gateway{port}.out", port
    ):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def haproxy(site: Site, service: int) -> Iterator[str]:
    command, port = program("haproxy"), free_port()
    script = site.folder / "jwks_to_pem.py"
    script.write_text(shown("HAProxy", "python"))
    keys = f"http://127.0.0.1:{site.port}/.well-known/jwks.json"
    subprocess.run([sys.executable, script, keys, site.folder], check=True)
    text = shown("HAProxy", "text")
    for old, new in {
        ":8080": f"127.0.0.1:{port}",
        "/etc/haproxy/jwt/": f"{site.folder}/",
    }.items():
        assert old in text
        text = text.replace(old, new)
    file = site.folder / "gateway.cfg"
    file.write_text(HAPROXY.format(shown=text, service=service))
    with running([command, "-f", str(file)], site.folder / "gateway.out", port):
        yield f"http://127.0.0.1:{port}/"


def ask(url: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=30)


def refuses(site: Site, url: str, tokens: dict[str, Any]) -> None:
    access = tokens["access_token"]
    with client_at(site.url) as device:
        proof = {"DPoP": Key().proof("POST", "https://api.example.org/api/login")}
        bound = device.post("/api/login", json=ALICE, headers=proof).json()
    assert bound["token_type"] == "DPoP"
    bad = {
        "bound to a key": bound["access_token"],
        "none": "",
        "a refresh token": tokens["refresh_token"],
        "expired": site.signed(access, exp=int(time.time()) - 60),
        "for others": site.signed(access, aud="other-api"),
        "of others": site.signed(access, iss="https://other.example"),
        "forged": site.signed(access, by=ec.generate_private_key(ec.SECP256R1())),
        "without a signature": access.rpartition(".")[0] + ".",
    }
    # The same token, well signed: what is refused is refused for what is wrong with it.
    assert ask(url, site.signed(access)).status_code == 200
    for what, token in bad.items():
        assert ask(url, token).status_code == 401, what


def test_apache_asks_each_time(site, service):
    with apache(site, service, shown("Apache", "apache")) as url, site.person() as (person, tokens):
        access = tokens["access_token"]
        assert ask(url, access).text == claims_of(access)["user_id"]
        refuses(site, url, tokens)
        person.post("/api/logout", headers={"Authorization": f"Bearer {access}"})
        assert ask(url, access).status_code == 401


def test_apache_keeps_what_it_was_told_without_the_line_with_1(site, service):
    text = re.sub(r".*OIDCOAuthTokenIntrospectionInterval.*\n", "", shown("Apache", "apache"))
    with apache(site, service, text) as url, site.person() as (person, tokens):
        access = tokens["access_token"]
        assert ask(url, access).status_code == 200
        person.post("/api/logout", headers={"Authorization": f"Bearer {access}"})
        # If not, the page says too much.
        assert ask(url, access).status_code == 200


def test_haproxy_verifies_signature_and_claims(site, service):
    with haproxy(site, service) as url, site.person() as (_, tokens):
        access = tokens["access_token"]
        assert ask(url, access).text == claims_of(access)["user_id"]
        refuses(site, url, tokens)
        refused = ask(url, "")
        assert refused.json()["code"] == "token_not_valid"
        assert refused.headers["WWW-Authenticate"] == "Bearer"
