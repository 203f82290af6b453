#!/usr/bin/env bash
# REMOTE_ADDR behind a Unix socket: waitress says "localhost", and uWSGI "0.0.0.0".
#
# Guess: who calls through a Unix socket has no address, so REMOTE_ADDR is empty or missing. A site that wants to trust its
# local proxy has to look for just that.
# Seen: true of gunicorn, hypercorn, granian, uvicorn and daphne. waitress has the name "localhost" there (and "None" as the
# port), which is no address: Python's `ipaddress` refuses it, and so does a database's column for addresses. uWSGI
# (`--http-socket`) has "0.0.0.0", which looks like a client's, so that all people are at one address, and share its limits.
# Neither is in a list of proxies such as 127.0.0.1/32, so that X-Forwarded-For is ignored.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1 waitress==3.0.2 pyuwsgi==2.0.30.post1 \
    hypercorn==0.18.0 granian==2.8.9 uvicorn==0.54.0 daphne==4.2.3 Django==5.2.19
cat > "$folder/app.py" <<'PYTHON'
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere", ALLOWED_HOSTS=["site.example.org"], ROOT_URLCONF=__name__
)

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(repr(request.META.get("REMOTE_ADDR"))))]
wsgi, asgi = get_wsgi_application(), get_asgi_application()
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

COMMANDS = {
    "gunicorn": "gunicorn app:wsgi --bind unix:{} --no-control-socket",
    "hypercorn": "hypercorn wsgi:app:wsgi --bind unix:{}",
    "granian": "granian app:wsgi --interface wsgi --uds {}",
    "uvicorn": "uvicorn app:asgi --uds {}",
    "daphne": "daphne app:asgi --unix-socket {}",
    "waitress": "waitress-serve --unix-socket={} app:wsgi",
    "pyuwsgi": "pyuwsgi --http-socket {} --module app:wsgi --master --die-on-term",
}
EXPECTED = {each: "''" for each in COMMANDS} | {
    "hypercorn": "None", "uvicorn": "None", "daphne": "None", "waitress": "'localhost'", "pyuwsgi": "'0.0.0.0'"
}


class Connection(http.client.HTTPConnection):
    """To a Unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


seen = {}
for name, command in COMMANDS.items():
    place = f"{name}.sock"
    program, *options = command.format(place).split()
    program = Path(sys.executable).with_name(program)
    output = subprocess.DEVNULL
    server = subprocess.Popen([program, *options], stdout=output, stderr=output, env={**os.environ, "PYTHONPATH": "."})
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(place)
                break
            time.sleep(0.1)
        client = Connection(place)
        client.request("GET", "/", headers={"Host": "site.example.org"})
        seen[name] = client.getresponse().read().decode()
        client.close()
    finally:
        server.terminate()
        server.wait()
    print(f"{name} {version(name)}: REMOTE_ADDR is {seen[name]}")
assert seen == EXPECTED, "the behaviour has changed"
PYTHON
