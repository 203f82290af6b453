#!/usr/bin/env bash
# ModSecurity: the audit log has each mistyped password, also where no rule matches; the Core Rule Set refuses passwords.
#
# Guess: an engine that only detects, as Debian sets it up, writes down what its rules find, and sanitiseArg keeps a
# password out of the logs. The rules look for attacks, so a password from a password manager passes.
# Seen: with the recommended configuration (ModSecurity 2.9.7) each request that is answered 4xx, except 404, is logged
# with its headers and its body: a login with a mistyped password, and the access token of a session that asks once
# more who one is. No rule has to match. The rules (3.3.4) take some passwords with 20 signs of all kinds for an attack,
# three of 400 here, and with SecRuleEngine On nobody with such a password can sign in: 403. These passwords are in
# Apache's error log, and in the audit log a second time, where sanitiseArg does not hide them.
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
python3 - <<'PYTHON'
import contextlib
import http.client
import json
import random
import re
import socket
import string
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path.cwd()
MODSECURITY = HERE / "root/etc/modsecurity"
MODULES = Path("/usr/lib/apache2/modules")
MISTYPED = "correct horse batery 9"
SANITISE = 'SecAction "id:1001,phase:5,pass,nolog,sanitiseArg:password"'


class Site(BaseHTTPRequestHandler):
    """Knows nobody, and asks who has a token to confirm who one is."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403 if "Authorization" in self.headers else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def firewall(name, engine, more=""):
    """Apache with the configuration that Debian recommends; how to post to it, and its logs."""
    port, folder = free_port(), HERE / name
    folder.mkdir()
    folder.chmod(0o777)
    settings = (MODSECURITY / "modsecurity.conf-recommended").read_text()
    for old, new in {
        "SecRuleEngine DetectionOnly": f"SecRuleEngine {engine}",
        "/var/log/apache2/modsec_audit.log": f"{folder}/audit.log",
        "unicode.mapping": f"{MODSECURITY}/unicode.mapping",
        "SecTmpDir /tmp/": f"SecTmpDir {folder}",
        "SecDataDir /tmp/": f"SecDataDir {folder}",
    }.items():
        assert old in settings, old
        settings = settings.replace(old, new)
    names = ("mpm_event", "authz_core", "proxy", "proxy_http", "unique_id")
    modules = "\n".join(f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in names)
    (folder / "apache.conf").write_text(f"""
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
LoadModule security2_module {HERE}/root/usr/lib/apache2/modules/mod_security2.so
{settings}
Include {MODSECURITY}/crs/crs-setup.conf
Include {HERE}/root/usr/share/modsecurity-crs/rules/*.conf
{more}
ProxyPass "/" "http://127.0.0.1:{site.server_port}/"
""")
    apache = subprocess.Popen(
        ["apache2", "-f", f"{folder}/apache.conf", "-DFOREGROUND"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def login(password, **headers):
        connection = http.client.HTTPConnection("localhost", port, timeout=30)
        body = json.dumps({"email": "alice@example.org", "password": password})
        given = {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0", "Accept": "*/*", **headers}
        connection.request("POST", "/login", body, given)
        return connection.getresponse().status

    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)

        def log(name):
            time.sleep(1)  # they are written after the answer
            return (folder / f"{name}.log").read_text(errors="replace")

        yield login, log
    finally:
        apache.terminate()
        apache.wait()


site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()

with firewall("as-it-comes", "DetectionOnly") as (login, log):
    answers = [login(MISTYPED), login("", Authorization="Bearer of-alice")]
    audit = log("audit")
    print(re.search(r"Producer: (.*)", audit)[1])
    print("DetectionOnly: a mistyped password:", answers[0], "| an action to confirm:", answers[1])
    print("  rules that matched:", re.findall(r'\[id "(\d+)"\]', audit))
    print("  the audit log has the password:", MISTYPED in audit, "| the token:", "Bearer of-alice" in audit)
    assert answers == [401, 403] and "[id " not in audit, "the behaviour has changed"
    assert MISTYPED in audit and "Bearer of-alice" in audit, "the behaviour has changed"

chosen = random.Random(7)
# Without the two that the logs write with a backslash.
signs = [each for each in string.ascii_letters + string.digits + string.punctuation if each not in '\\"']
passwords = ["".join(chosen.choice(signs) for _ in range(20)) for _ in range(400)]
with firewall("on", "On", SANITISE) as (login, log):
    refused = [each for each in passwords if login(each) == 403]
    mistyped = login(MISTYPED)
    audit, error = log("audit"), log("error")
print(f"On: {len(refused)} of {len(passwords)} passwords are refused, such as {refused[:1]}")
shown = [sum(each in log for each in refused) for log in (error, audit)]
print(f"  in Apache's error log: {shown[0]}; with sanitiseArg in the audit log: {shown[1]}")
print("  and the mistyped password, which no rule matches:", MISTYPED in audit)
assert 1 <= len(refused) <= 60 and mistyped == 401, "the behaviour has changed"
assert all(shown) and MISTYPED not in audit, "the behaviour has changed"
PYTHON
