#!/usr/bin/env bash
# ModSecurity's Core Rule Set: one JWT in 33,000 is refused, for the first three characters of its signature.
#
# Guess: a JWT is letters, digits, "-", "_" and two dots. No rule against attacks takes it for one; all that were tried pass.
# Seen: rule 930120 looks for names of files, and ".nsr" is one (3.3.4; 4.28.0 has ".cvs", too). A token whose signature
# begins with "nsr", in any case, has that name in it, at one of 33,000 signatures (with both, one of 16,000). In a body or
# in a cookie it is answered 403, and so is each try with the same token: a client whose refresh token is of that kind
# cannot refresh any more. In the header Authorization it passes, since the rule does not read headers.
#
# Needs apache2 (Debian: apache2), and apt-get for libapache2-mod-security2 and modsecurity-crs, which it does not install.
set -euo pipefail
PATH=$PATH:/usr/sbin
for each in apache2 apt-get dpkg; do command -v $each >/dev/null || { echo "needs $each"; exit 2; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 777 "$folder"  # Apache's own user writes there
cd "$folder"
apt-get download -qq libapache2-mod-security2 modsecurity-crs liblua5.1-0 libyajl2 2>/dev/null
for each in *.deb; do dpkg -x "$each" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyJWT==2.13.0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import jwt

HERE = Path.cwd()
MODSECURITY = HERE / "root/etc/modsecurity"
MODULES = Path("/usr/lib/apache2/modules")
KEY = "a key for this script, which is of no use elsewhere"


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def token(start):
    """A JWT that is issued until its signature begins so; how many it took."""
    for number in count(1):
        issued = jwt.encode({"token_type": "refresh", "jti": number}, KEY, "HS256")
        if issued.rpartition(".")[2].lower().startswith(start):
            return issued, number


site, port = ThreadingHTTPServer(("127.0.0.1", 0), Site), free_port()
threading.Thread(target=site.serve_forever, daemon=True).start()
settings = (MODSECURITY / "modsecurity.conf-recommended").read_text()
for old, new in {
    "SecRuleEngine DetectionOnly": "SecRuleEngine On",
    "/var/log/apache2/modsec_audit.log": f"{HERE}/audit.log",
    "unicode.mapping": f"{MODSECURITY}/unicode.mapping",
    "SecTmpDir /tmp/": f"SecTmpDir {HERE}",
    "SecDataDir /tmp/": f"SecDataDir {HERE}",
}.items():
    assert old in settings, old
    settings = settings.replace(old, new)
names = ("mpm_event", "authz_core", "proxy", "proxy_http", "unique_id")
modules = "\n".join(f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in names)
Path("apache.conf").write_text(f"""
ServerName localhost
PidFile {HERE}/apache.pid
ErrorLog {HERE}/error.log
DefaultRuntimeDir {HERE}
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
LoadModule security2_module {HERE}/root/usr/lib/apache2/modules/mod_security2.so
{settings}
Include {MODSECURITY}/crs/crs-setup.conf
Include {HERE}/root/usr/share/modsecurity-crs/rules/*.conf
ProxyPass "/" "http://127.0.0.1:{site.server_port}/"
""")


def ask(body, **headers):
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    given = {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0", "Accept": "*/*", **headers}
    connection.request("POST", "/refresh", json.dumps(body), given)
    return connection.getresponse().status


apache = subprocess.Popen(
    ["apache2", "-f", f"{HERE}/apache.conf", "-DFOREGROUND"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
try:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    seen = {}
    for start in ("nsr", "abc"):
        issued, number = token(start)
        seen[start] = {
            "in a body": [ask({"refresh": issued}) for _ in range(2)],
            "in a cookie": [ask({}, Cookie=f"refresh_token={issued}")],
            "as a bearer token": [ask({}, Authorization=f"Bearer {issued}")],
        }
        print(f"the {number}th token, ...{issued[-44:-36]}...: {seen[start]}")
    time.sleep(1)
    print((HERE / "audit.log").read_text().partition("Producer: ")[2].split("\n")[0])
finally:
    apache.terminate()
    apache.wait()
assert seen["nsr"] == {
    "in a body": [403, 403],
    "in a cookie": [403],
    "as a bearer token": [200],
}, "the behaviour has changed"
assert sum(seen["abc"].values(), []) == [200] * 4, "the behaviour has changed"
PYTHON
