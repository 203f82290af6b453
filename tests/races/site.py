"""The site in several processes on a port of its own, and people who come to it all at once."""

import logging
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connections

from tests.client import PASSWORD

ROOT = Path(settings.BASE_DIR)
T = TypeVar("T")
# Made once; it is the dear part of a client.
TLS = ssl.create_default_context()

logging.getLogger("httpx").setLevel(logging.WARNING)


class Tokens(NamedTuple):
    access: str
    refresh: str
    session_id: str


class Cookie(NamedTuple):
    key: str
    session_id: str


class Caller(httpx.Client):
    """A client with a connection of its own. An answer 5xx is a failure wherever it comes."""

    def __init__(self, url: str) -> None:
        super().__init__(
            base_url=url, timeout=30, verify=TLS, event_hooks={"response": [_refuse_5xx]}
        )

    def bearing(self, method: str, path: str, access: str, **kwargs: object) -> httpx.Response:
        return self.request(method, path, headers={"Authorization": f"Bearer {access}"}, **kwargs)

    def login(self, email: str, *, path: str = "/api/login", password: str = PASSWORD) -> Tokens:
        # Each login is one on another device, so none of a browser that is known by its cookie.
        self.cookies.clear()
        answer = self.post(path, json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        given = answer.json()
        # Of an app that comes through allauth.
        given = given.get("meta", given)
        access = given.get("access_token") or given["access"]
        refresh = given.get("refresh_token") or given["refresh"]
        return Tokens(access, refresh, given["session_id"])

    def sign_in_to_pages(self, email: str, password: str = PASSWORD) -> Cookie:
        self.cookies.clear()
        self.get("/accounts/login/")
        form = {"login": email, "password": password}
        form["csrfmiddlewaretoken"] = self.cookies["csrftoken"]
        answer = self.post("/accounts/login/", data=form)
        assert answer.status_code == 302, answer.text
        held = Session.objects.get(session_key=self.cookies["sessionid"])
        return Cookie(held.session_key, held.get_decoded()["device_session"])

    def sees_pages(self, cookie: Cookie) -> bool:
        self.cookies.clear()
        self.cookies["sessionid"] = cookie.key
        return self.get("/devices/").status_code == 200

    def refresh(self, token: str) -> httpx.Response:
        return self.post("/api/token/refresh", json={"refresh": token})

    def me(self, access: str) -> httpx.Response:
        return self.bearing("GET", "/api/me", access)


def _refuse_5xx(response: httpx.Response) -> None:
    if response.status_code >= 500:
        raise AssertionError(f"{response.request.url}: {response.status_code} {response.read()!r}")


@dataclass(frozen=True)
class Site:
    url: str
    liveness: str
    log: Path
    # For what is done before and after a race, one thing after the other.
    caller: Caller

    def events(self, kind: str) -> list[str]:
        """The lines of the security log about events of a kind."""
        return [line for line in self.log.read_text().splitlines() if f'"{kind}"' in line]

    def par(self, n: int, call: Callable[[Caller, int], T]) -> list[T]:
        """What `n` callers get who call together, each with a connection that stands already."""
        gate = threading.Barrier(n)

        def one(i: int) -> T:
            with Caller(self.url) as caller:
                caller.get("/healthz")
                gate.wait()
                try:
                    return call(caller, i)
                finally:
                    # A call may use the database of this process, too.
                    connections.close_all()

        with ThreadPoolExecutor(n) as pool:
            return list(pool.map(one, range(n)))


@contextmanager
def serve(database: str, liveness: str, log: Path, port: int | None = None) -> Iterator[Site]:
    """Serve the site over this database until the block is left; what it says goes into the log.

    `port` is another way to the server of the database than DATABASE_URL's.
    """
    way = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}")
    if port:
        who, at, _ = way.netloc.rpartition("@")
        way = way._replace(netloc=f"{who}{at}127.0.0.1:{port}")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.races.settings",
        "RACE_LIVENESS": liveness,
        "DATABASE_URL": way.geturl(),
        "DB_STATEMENT_TIMEOUT": "5s",
    }
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "project.wsgi",
        "--config",
        "tests/races/gunicorn.py",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = _url(process, log)
        with Caller(url) as caller:
            # It listens before a worker has loaded the site.
            caller.get("/healthz", timeout=300)
            yield Site(url, liveness, log, caller)
    finally:
        process.terminate()
        process.wait(30)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if listening := re.search(r"Listening at: (http://\S+)", log.read_text()):
            return listening[1]
        time.sleep(0.05)
    raise RuntimeError(f"The site did not start:\n{log.read_text()}")
