#!/usr/bin/env bash
# Django: with a replica beside the server of a RedisCache, logins fail with 400, and who signed out is signed in.
#
# Guess: a replica in `LOCATION` takes load off the first server. One that is behind shows a session a moment too late.
# Seen: RedisCache reads from replicas only (Django 5.2.19). The engine `cache` creates the session of a login at the
# first server, and in the same request looks at a replica whether it is still there: if the replica does not have it
# yet, be it 20 milliseconds behind, the login is answered 400 ("session was deleted"). A replica that is cut off answers
# as well (`replica-serve-stale-data`): who has signed out meanwhile is signed in by the old cookie, also with the engine
# `cached_db`, whose row in the database is gone. Tests with one server do not show it.
#
# Needs redis-server (Debian: redis-server).
set -euo pipefail
command -v redis-server >/dev/null || { echo "needs redis-server"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 redis==8.1.0
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import logging
import os
import socket
import subprocess
import threading
import time
from collections import Counter
from contextlib import suppress
from queue import Queue

import django
import redis
from django.conf import settings


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def server():
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", os.environ["FOLDER"]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    wait_for(lambda: answers(client))
    return process, client, f"redis://127.0.0.1:{port}/0"


def answers(client):
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def late_way_to(port, seconds):
    """A port by which everything that a server says arrives later."""
    entrance = socket.create_server(("127.0.0.1", 0))

    def said(sender, receiver, delay):
        under_way = Queue()

        def deliver():
            while (item := under_way.get()) is not None:
                time.sleep(max(item[0] - time.monotonic(), 0))
                with suppress(OSError):
                    receiver.sendall(item[1])

        threading.Thread(target=deliver, daemon=True).start()
        with suppress(OSError):
            while data := sender.recv(65536):
                under_way.put((time.monotonic() + delay, data))

    def serve():
        while True:
            here, _ = entrance.accept()
            there = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=said, args=(here, there, 0), daemon=True).start()
            threading.Thread(target=said, args=(there, here, seconds), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return entrance.getsockname()[1]


first, leader, leaders_url = server()
second, replica, replicas_url = server()
settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": [leaders_url, replicas_url]
        }
    },
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()
logging.disable(logging.CRITICAL)

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import path


def sign_in(request):
    login(request, authenticate(username="ann", password="secret"))
    return HttpResponse()


def sign_out(request):
    logout(request)
    return HttpResponse()


urlpatterns = [
    path("in", sign_in),
    path("out", sign_out),
    path("who", lambda request: HttpResponse(request.user.get_username())),
]
setup_test_environment()
call_command("migrate", verbosity=0)
User.objects.create_user("ann", password="secret")


def logins():
    return Counter(Client(raise_request_exception=False).get("/in").status_code for _ in range(50))


def link(port, state):
    replica.replicaof("127.0.0.1", port)
    wait_for(lambda: replica.info("replication")["master_link_status"] == state)


print("Django", django.__version__, "redis-py", redis.__version__, "Redis", leader.info("server")["redis_version"])
port = leader.connection_pool.connection_kwargs["port"]
late = late_way_to(port, 0.02)
seen = {}
try:
    for engine in ("cache", "cached_db"):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        link(port, "up")
        browser = Client()
        while browser.get("/in").status_code != 200:
            pass
        leader.wait(1, 1000)
        link(late, "up")
        behind = dict(logins())
        link(free_port(), "down")
        cookie = browser.cookies["sessionid"].value
        browser.get("/out")
        browser.cookies["sessionid"] = cookie
        who = browser.get("/who").content.decode()
        print(f"{engine}: logins while the replica is 20 ms behind: {behind}")
        print(f"{engine}: by the cookie of who has signed out while it is cut off: {who!r}")
        seen[engine] = (behind, who)
finally:
    for process in (first, second):
        process.terminate()
        process.wait()
assert seen == {"cache": ({400: 50}, "ann"), "cached_db": ({200: 50}, "ann")}, "the behaviour has changed"
PYTHON
