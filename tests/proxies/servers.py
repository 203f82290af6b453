"""Real servers for a test: gunicorn with the site, and the proxies as docs/proxies.md has them."""

import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ, geteuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from tests.ports import free_port

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs" / "proxies.md").read_text()
# What a front end shows, in place of "a long random value".
KEY = secrets.token_hex(32)

# How each of them is called there, the name of its program, and the option before its configuration.
PROXIES = {
    "nginx": ("nginx", "nginx", "-c"),
    "nginx-with-key": ("A front end without a fixed address", "nginx", "-c"),
    "haproxy": ("HAProxy", "haproxy", "-f"),
    "apache": ("Apache", "apache2", "-f"),
    "caddy": ("Caddy", "caddy", "--config"),
    "envoy": ("Envoy", "envoy", "-c"),
}

NGINX_MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""
# The rest is what a2enmod does.
APACHE_MAIN = """
ServerName api.example.org
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
{servers}
"""
APACHE_MODULES = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl")
# Its certificates come from an authority on the Internet, which a test has not.
CADDY_MAIN = """
{{
    admin off
    auto_https off
    default_sni api.example.org
    storage file_system {folder}/caddy
}}
{servers}
"""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a production site on a SQLite file in this folder."""
    return {
        **environ,
        "DJANGO_SETTINGS_MODULE": "tests.proxies.settings",
        "DEBUG": "false",
        "SECRET_KEY": "a secret key for the tests, of no use elsewhere",
        "JWT_SECRET_KEY": "a signing key for the tests, of no use elsewhere",
        "ALLOWED_HOSTS": "api.example.org",
        "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
        "EMAIL_URL": "memorymail://",
        "SITE_URL": "https://api.example.org",
        "TRUSTED_PROXIES": "127.0.0.1/32",
        **changes,
    }


def migrate(env: Mapping[str, str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=env, check=True
    )


@contextmanager
def running(
    command: list[str], log: Path, port: int | Path, env: Mapping[str, str] = environ
) -> Iterator[None]:
    """Run a server from when it listens at the port, or the Unix socket, until the block is left."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int | Path) -> bool:
    family = socket.AF_INET if isinstance(port, int) else socket.AF_UNIX
    with socket.socket(family) as client:
        return client.connect_ex(("127.0.0.1", port) if isinstance(port, int) else str(port)) == 0


@contextmanager
def pgbouncer(
    program: str, folder: Path, mode: str, server: Mapping[str, Any], *, pool: int = 20
) -> Iterator[int]:
    """A PgBouncer in this mode before a server, whose way in is given as psycopg has it; its port."""
    port = free_port()
    way = f"host={server.get('host', '127.0.0.1')} port={server.get('port', 5432)}"
    way += f" user={server['user']}"
    if server.get("password"):
        way += f" password={server['password']}"
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = {way}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {pool}\n"
    )
    # It does not run as root.
    config.chmod(0o644)
    for each in (folder, *folder.parents[:3]):
        each.chmod(each.stat().st_mode | 0o055)
    command = [program, *(["-u", "postgres"] if geteuid() == 0 else []), str(config)]
    with running(command, folder / "pgbouncer.log", port):
        yield port


@contextmanager
def gunicorn(folder: Path, port: int | Path, env: Mapping[str, str]) -> Iterator[None]:
    """The site, as docs/proxies.md starts it."""
    bind = f"127.0.0.1:{port}" if isinstance(port, int) else f"unix:{port}"
    command = [sys.executable, "-m", "gunicorn", "project.wsgi", "--bind", bind]
    with running(
        [*command, "--threads", "4", "--no-control-socket"], folder / "site.log", port, env
    ):
        yield


def certificate(folder: Path) -> None:
    """A key and a certificate of its own for api.example.org, apart and in one file."""
    key, crt = folder / "site.key", folder / "site.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api.example.org"]
        + ["-keyout", key, "-out", crt],
        check=True,
        capture_output=True,
    )
    (folder / "site.pem").write_text(crt.read_text() + key.read_text())


def documented(kind: str, folder: Path, port: int, upstream: int | Path) -> str:
    """The configuration in docs/proxies.md, with the places and ports of this test."""
    heading, program, _ = PROXIES[kind]
    [text] = re.findall(rf"^## {heading}\n.*?```\w+\n(.*?)```", PAGE, re.DOTALL | re.M)
    at = "127.0.0.1:8000"
    to = f"127.0.0.1:{upstream}" if isinstance(upstream, int) else str(upstream)
    if isinstance(upstream, Path):
        # As the section on Unix sockets has it.
        to = {
            "nginx": f"unix:{upstream}",
            "apache2": f"unix:{upstream}|http://site",
            "caddy": f"unix/{upstream}",
        }.get(program, to)
        at = f"http://{at}" if program == "apache2" else at
    if program == "envoy":
        at = "socket_address: { address: 127.0.0.1, port_value: 8000 }"
        to = (
            f"pipe: {{ path: {upstream} }}"
            if isinstance(upstream, Path)
            else at.replace("8000", str(upstream))
        )
    changes = {at: to, "/etc/ssl/api.example.org": f"{folder}/site"}
    changes |= {"listen 443": f"listen 127.0.0.1:{port}", "bind :443": f"bind 127.0.0.1:{port}"}
    changes |= {
        "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
        "api.example.org {": f"https://api.example.org:{port} {{\n    bind 127.0.0.1\n"
        f"    tls {folder}/site.crt {folder}/site.key",
        "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {port}",
        "a long random value": KEY,
    }
    assert all(old in PAGE for old in changes)
    for old, new in changes.items():
        text = text.replace(old, new)
    return _main(program, folder, port, text)


def _main(program: str, folder: Path, port: int, text: str) -> str:
    """What stands around the documented part in the configuration of a whole server."""
    modules = Path("/usr/lib/apache2/modules")
    loaded = (f"LoadModule {name}_module {modules}/mod_{name}.so" for name in APACHE_MODULES)
    around = {"nginx": NGINX_MAIN, "apache2": APACHE_MAIN, "caddy": CADDY_MAIN}.get(
        program, "{servers}"
    )
    return around.format(folder=folder, port=port, modules="\n".join(loaded), servers=text)


@contextmanager
def proxy(kind: str, folder: Path, upstream: int | Path) -> Iterator[str]:
    """A proxy as documented, in front of the site. Yields its URL."""
    _, name, option = PROXIES[kind]
    program = shutil.which(name, path=f"{environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"NO PROXY: {name} is not installed")
    port = free_port()
    # Envoy knows a format by the end of the name.
    file = folder / (f"{kind}.yaml" if kind == "envoy" else f"{kind}.conf")
    file.write_text(documented(kind, folder, port, upstream))
    command = [program, option, str(file)]
    if kind == "apache":
        command.append("-DFOREGROUND")
    elif kind == "envoy":
        command.append("--use-dynamic-base-id")
    elif kind == "caddy":
        command = [program, "run", "--adapter", "caddyfile", option, str(file)]
    with running(command, folder / f"{kind}.out", port):
        yield f"https://127.0.0.1:{port}"


def client_at(url: str, address: str = "127.0.0.1") -> httpx.Client:
    """A client of api.example.org that comes from an address of this machine, 127.0.0.0/8."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    transport = httpx.HTTPTransport(verify=trust, local_address=address)
    headers = {"Host": "api.example.org"}
    return httpx.Client(base_url=url, transport=transport, headers=headers, timeout=120)
