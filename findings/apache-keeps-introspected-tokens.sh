#!/usr/bin/env bash
# Apache with mod_auth_openidc or mod_oauth2: a revoked token stays good until it expires, and an outage makes good ones bad.
#
# Guess: a gateway that introspects asks again after some seconds, and answers 500 or 503 while nobody can be asked.
# Seen: as they come, mod_auth_openidc (2.4.12.3) and mod_oauth2 (3.3.1) keep the answer as long as its `exp` says, here five
# minutes, and let in a token that is not active any more. `OIDCOAuthTokenIntrospectionInterval -1` and `expiry=0` have them
# ask each time. While introspection is answered 503, both refuse a good token with 401 and error="invalid_token".
#
# Needs apache2 (Debian: apache2), and apt-get for the two modules, which it does not install.
set -euo pipefail
PATH=$PATH:/usr/sbin
for each in apache2 apt-get dpkg openssl; do command -v $each >/dev/null || { echo "needs $each"; exit 2; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 777 "$folder"  # Apache's own user writes there
cd "$folder"
apt-get download -qq libapache2-mod-auth-openidc libapache2-mod-oauth2 libcjose0 liboauth2-0 liboauth2-apache0 libhiredis0.14 \
    libmemcached11 2>/dev/null
for each in *.deb; do dpkg -x "$each" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem 2>/dev/null
python3 - <<'PYTHON'
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE, MODULES = Path.cwd(), Path("/usr/lib/apache2/modules")
NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_basic")
answer = {}


class Site(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(answer).encode()
        self.send_response(200 if answer else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"https://localhost:{server.server_port}/introspect"
OPENIDC = f"""
OIDCOAuthIntrospectionEndpoint {url}
OIDCOAuthSSLValidateServer Off
OIDCOAuthClientID service
OIDCOAuthClientSecret secret
<Location />
AuthType oauth20
Require valid-user
{{}}
</Location>
"""
OAUTH2 = f"""
<Location />
AuthType oauth2
Require valid-user
OAuth2TokenVerify introspect {url} introspect.ssl_verify=false&introspect.auth=client_secret_basic&client_id=service&client_secret=secret{{}}
</Location>
"""
CASES = {
    "mod_auth_openidc as it comes": ("auth_openidc", OPENIDC.format("")),
    "mod_auth_openidc, interval -1": (
        "auth_openidc",
        OPENIDC.format("OIDCOAuthTokenIntrospectionInterval -1"),
    ),
    "mod_oauth2 as it comes": ("oauth2", OAUTH2.format("")),
    "mod_oauth2, expiry=0": ("oauth2", OAUTH2.format("&expiry=0")),
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def ask(port, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/plan.txt", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    return response.status, response.headers.get("WWW-Authenticate", "")


def play(name, module, shown):
    global answer
    port = free_port()
    lines = [f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in NEEDED]
    lines.append(f"LoadModule {module}_module {HERE}/root{MODULES}/mod_{module}.so")
    Path("files").mkdir(exist_ok=True)
    Path("files/plan.txt").write_text("the plan")
    Path("apache.conf").write_text(
        f"ServerName localhost\nPidFile {HERE}/{port}.pid\nErrorLog {HERE}/apache.log\n"
        f"DefaultRuntimeDir {HERE}\nListen 127.0.0.1:{port}\nUser nobody\nGroup nogroup\n"
        f"DocumentRoot {HERE}/files\n" + "\n".join(lines) + shown
    )
    process = subprocess.Popen(["apache2", "-f", f"{HERE}/apache.conf", "-DFOREGROUND"])
    try:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None and time.monotonic() < deadline, "Apache does not start"
            time.sleep(0.1)
        now = int(time.time())
        answer = {"active": True, "sub": "7", "iat": now, "exp": now + 300}
        first = ask(port, "one")[0]
        answer = {"active": False}
        since, before = ask(port, "one")[0], ask(port, "two")[0]
        answer = {}
        away, challenge = ask(port, "three")
    finally:
        process.terminate()
        process.wait()
    print(f"{name}: good {first}, revoked since {since}, revoked before {before}, 503 {away} {challenge}")
    assert (first, before, away) == (200, 401, 401), "the behaviour has changed"
    assert 'error="invalid_token"' in challenge, "the behaviour has changed"
    return since


subprocess.run("apache2 -v | head -1; ls *.deb", shell=True, check=True)
seen = [play(name, *case) for name, case in CASES.items()]
assert seen == [200, 401, 200, 401], "the behaviour has changed"
PYTHON
