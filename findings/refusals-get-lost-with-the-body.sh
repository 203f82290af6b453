#!/usr/bin/env bash
# gunicorn behind a proxy: a 401 to a request of 1 MB arrives as 502, or not at all, now and then.
#
# Guess: an application may refuse a request (an expired token, a limit) before it reads the body; gunicorn sees to the
# rest, and the client gets the 401, and renews its token.
# Seen: gunicorn (27, synchronous workers and threads) closes the connection with the rest of the body unread. The kernel
# then resets it, and the proxy, which still sends, takes that for a failure: nginx answers 502, HAProxy cuts off its
# client. The app cannot tell that its token has expired, and the application's log says that all is well. A client
# without a proxy is not hurt on Linux, so tests do not show it. Django and Django REST framework read no body that no
# view asks for. Where the application reads the body before it answers, or with uvicorn, which does not close, each
# 401 arrives. How many are lost depends on time: of 60 here 2 to 22 behind nginx, and a few, at times none, behind HAProxy.
#
# Needs nginx and haproxy (Debian: nginx, haproxy).
set -euo pipefail
PATH=$PATH:/usr/sbin
for each in nginx haproxy; do command -v $each >/dev/null || { echo "needs $each"; exit 2; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"  # nginx writes bodies there as another user
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1 uvicorn==0.54.0 \
    Django==5.2.19 djangorestframework==3.18.3
cat > "$folder/app.py" <<'PYTHON'
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
)

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.views import APIView


class NoToken(BaseAuthentication):
    def authenticate(self, request):
        raise AuthenticationFailed("The token has expired.")

    def authenticate_header(self, request):
        return "Bearer"


class Photo(APIView):
    authentication_classes = [NoToken]

    def put(self, request):
        raise AssertionError("Nobody comes here.")


class BodyFirst:
    """Reads the body, whatever the answer will be."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        while environ["PATH_INFO"] == "/read" and environ["wsgi.input"].read(65536):
            pass
        return self.app(environ, start_response)


urlpatterns = [path("photo", Photo.as_view()), path("read", Photo.as_view())]
wsgi, asgi = BodyFirst(get_wsgi_application()), get_asgi_application()
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import collections
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

PROXIES = ("nginx", "haproxy")
SERVERS = {
    "gunicorn": ["gunicorn", "app:wsgi", "--no-control-socket", "--bind"],
    "gunicorn --threads 4": ["gunicorn", "app:wsgi", "--no-control-socket", "--threads", "4", "--bind"],
    "uvicorn": ["uvicorn", "app:asgi", "--port"],
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def configure(proxy, port, app):
    """How to start it."""
    if proxy == "haproxy":
        Path("haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen site
    bind 127.0.0.1:{port}
    server site 127.0.0.1:{app}
""")
        return ["haproxy", "-f", "haproxy.cfg"]
    folders = " ".join(f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    Path("nginx.conf").write_text(f"""
daemon off; pid nginx.pid; error_log stderr; events {{}}
http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port}; client_max_body_size 8m;
    location / {{ proxy_pass http://127.0.0.1:{app}; proxy_http_version 1.1; }}
}} }}
""")
    return ["nginx", "-p", os.getcwd(), "-c", "nginx.conf"]


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def answers(port, path):
    """What 60 uploads with an expired token get, half of them of 250 kB and half of 1 MB."""
    got = collections.Counter()
    for size in [250_000, 1_000_000] * 30:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            client.request("PUT", path, b"x" * size, {"Content-Type": "image/png"})
            got[str(client.getresponse().status)] += 1
        except (OSError, http.client.HTTPException):
            got["no answer"] += 1
        client.close()
    return dict(got)


def say(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).split("\n")[0]


print(", ".join(f"{each} {version(each)}" for each in ("gunicorn", "uvicorn", "Django", "djangorestframework")))
print(say("nginx", "-v"), "|", say("haproxy", "-v"))
all_right, is_lost = {"401": 60}, {}
for name, command in SERVERS.items():
    app = free_port()
    at = str(app) if name == "uvicorn" else f"127.0.0.1:{app}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(running([sys.executable, "-m", *command, at], app))
        ports = {None: app} | {proxy: free_port() for proxy in PROXIES}
        for proxy in PROXIES:
            stack.enter_context(running(configure(proxy, ports[proxy], app), ports[proxy]))
        for proxy, port in ports.items():
            where = f"{name} behind {proxy}" if proxy else f"{name} alone"
            got = answers(port, "/photo")
            print(f"{where}: {got}", flush=True)
            if proxy and name != "uvicorn":
                is_lost[proxy] = is_lost.get(proxy, False) or got != all_right
                got = answers(port, "/read")
                print(f"{where}, body read first: {got}", flush=True)
            assert got == all_right, "the behaviour has changed"
# Behind HAProxy few get lost, and at times none.
assert is_lost["nginx"], "the behaviour has changed"
PYTHON
