#!/usr/bin/env bash
# HAProxy and Apache: behind a worker that dies, Chromium sends a POST two or three times; behind nginx and Caddy, once.
#
# Guess: a proxy that gets no answer says so with 502. So a browser behind one does not repeat a POST by itself, as it does
# where its connection just ends (chromium-sends-a-post-twice.sh).
# Seen: true of nginx and Caddy. HAProxy and Apache answer 502 to the first request of a connection alone. To a later one
# they answer nothing, and close the connection, so that the client tries again, whatever the method is. Chromium
# does, and the page sees the 502 to the second try. Over HTTP/2, HAProxy (2.6) refuses the stream each time: Chromium
# tries three times, and the page sees no answer at all; Apache answers there. By then a one-time code or a refresh token
# has been used as often. HAProxy logs the last try only; Apache logs a 502 for the first that nobody got.
# Over HTTP/1.1, `option httpclose` in HAProxy and `KeepAlive Off` in Apache keep it to one, with a connection for each
# request.
#
# Needs Chromium (Debian: chromium; the package playwright drives it), nginx, haproxy, apache2, caddy and openssl.
PATH=$PATH:/usr/sbin
for each in nginx haproxy apache2 caddy openssl; do command -v $each >/dev/null || { echo "needs $each"; exit 2; }; done
source "$(dirname "$0")/chromium_lab.sh" gunicorn==27.0.1
cat > "$FOLDER/app.py" <<'PYTHON'
import os
import signal


def app(environ, start_response):
    """A page, and an endpoint whose worker is killed when it has done its work, as for want of memory."""
    if environ["REQUEST_METHOD"] == "POST":
        with open("posts", "ab") as file:
            file.write(environ["wsgi.input"].read() + b"\n")
        os.kill(os.getpid(), signal.SIGKILL)
    body = b"<!doctype html><link rel=icon href=data:,>"
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]
PYTHON
cd "$FOLDER"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout site.key -out site.crt 2>/dev/null
cat site.crt site.key > site.pem
"$python" - <<'PYTHON'
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import gunicorn
from playwright.sync_api import sync_playwright

SEND = """async () => {
    await (await fetch("/")).text();
    return fetch("/refresh", {method: "POST", body: "a token"}).then((answer) => answer.status, () => "no answer");
}"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]


def file_of(name):
    return name.replace("/", "") + ".conf"


here = os.getcwd()
app = free_port()
# How many POSTs the application gets.
EXPECTED = {
    "nginx": 1,
    "nginx HTTP/2": 1,
    "caddy": 1,
    "haproxy": 2,
    "haproxy HTTP/2": 3,
    "haproxy httpclose": 1,
    "apache2": 2,
    "apache2 HTTP/2": 1,
    "apache2 KeepAlive Off": 1,
}
ports = {name: free_port() for name in EXPECTED}
folders = " ".join(f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
Path("nginx.conf").write_text(f"""
daemon off; pid nginx.pid; error_log stderr; events {{}}
http {{ access_log off; {folders} server {{ listen 127.0.0.1:{ports["nginx"]};
    listen 127.0.0.1:{ports["nginx HTTP/2"]} ssl http2; ssl_certificate site.crt; ssl_certificate_key site.key;
    location / {{ proxy_pass http://127.0.0.1:{app}; proxy_http_version 1.1; }}
}} }}
""")
Path("Caddyfile").write_text(f"""
{{
    admin off
}}
http://127.0.0.1:{ports["caddy"]} {{
    reverse_proxy 127.0.0.1:{app}
}}
""")
for name, option in {
    "haproxy": "",
    "haproxy HTTP/2": f"bind 127.0.0.1:{ports['haproxy HTTP/2']} ssl crt site.pem alpn h2",
    "haproxy httpclose": "option httpclose",
}.items():
    bind = "" if "HTTP/2" in name else f"bind 127.0.0.1:{ports[name]}"
    Path(file_of(name)).write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen site
    {bind}
    {option}
    server site 127.0.0.1:{app}
""")
for name, option in {
    "apache2": "",
    "apache2 HTTP/2": f"Protocols h2\nSSLEngine on\nSSLCertificateFile {here}/site.crt\nSSLCertificateKeyFile {here}/site.key",
    "apache2 KeepAlive Off": "KeepAlive Off",
}.items():
    modules = "\n".join(
        f"LoadModule {each}_module /usr/lib/apache2/modules/mod_{each}.so"
        for each in ("mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "http2")
    )
    Path(file_of(name)).write_text(f"""
ServerRoot {here}
ServerName site.example.org
DefaultRuntimeDir {here}
PidFile "{here}/{file_of(name)}.pid"
ErrorLog /dev/stderr
Listen 127.0.0.1:{ports[name]}
User www-data
Group www-data
{modules}
{option}
ProxyPass / http://127.0.0.1:{app}/
""")
commands = {
    app: [sys.executable, "-m", "gunicorn", "app:app", "--bind", f"127.0.0.1:{app}", "--workers", "3", "--no-control-socket"],
    ports["nginx"]: ["nginx", "-p", here, "-c", "nginx.conf"],
    ports["caddy"]: ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
}
for name, port in ports.items():
    if name.startswith("haproxy"):
        commands[port] = ["haproxy", "-f", file_of(name)]
    if name.startswith("apache2"):
        commands[port] = ["apache2", "-d", here, "-f", file_of(name), "-D", "FOREGROUND"]
seen = {}
with contextlib.ExitStack() as running, sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    print("Chromium", browser.version, "| gunicorn", gunicorn.__version__, "| nginx", version("nginx", "-v"), end=" ")
    print("| Caddy", version("caddy", "version"), "| HAProxy", version("haproxy", "-v"), "| Apache", version("apache2", "-v"))
    for port, command in commands.items():
        environment = {**os.environ, "HOME": here}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        running.callback(process.wait)
        running.callback(process.terminate)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
    for name, port in ports.items():
        Path("posts").write_bytes(b"")
        page = browser.new_page(ignore_https_errors=True)
        page.goto(f"{'https' if 'HTTP/2' in name else 'http'}://127.0.0.1:{port}/")
        status = page.evaluate(SEND)
        page.close()
        seen[name] = Path("posts").read_bytes().count(b"a token")
        print(f"{name}: the page sees {status}, the application got {seen[name]} POST")
    browser.close()
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
