"""What it costs to know who is asking: this app beside those that people might take instead.

    python -m benchmarks.auth_overhead [--write docs/performance.md]

All contestants run in one process, in turns, so that whatever else the machine does hits them alike; each
figure is the median of the rounds, each ratio the median of the ratios within a round.
"""

import argparse
import logging
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from . import page

PACKAGES = (
    *page.SITE,
    "django-rest-knox",
    "drf-sessions",
    "django-trusted-devices",
    "django-allauth",
)
POSTGRES = "postgres://postgres@127.0.0.1:5432/devices"
PLAIN = "SimpleJWT `JWTAuthentication`"
STATELESS = "SimpleJWT `JWTStatelessUserAuthentication`"
DATABASE = "**devices**, mode `database`"
ONCE = "**devices**, mode `database`, each token seen once"
NOTED = "**devices**, mode `database`, each request noted"
CACHED = "**devices**, mode `cached`"
SAME = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}

Ask = Callable[[], Any]


class Contestant:
    def __init__(
        self, name: str, revokes: bool, untouched: Ask, touched: Ask | None, queries: int
    ) -> None:
        self.name, self.revokes, self.queries = name, revokes, queries
        self.asks = {False: untouched, True: touched}
        self.times: dict[bool, list[float]] = {False: [], True: []}
        # The mode is a setting.
        self.devices = settings.DEVICES
        # Done before each request, where something would be remembered that shall not be.
        self.forget: Callable[[], None] | None = None

    def run(self, touched: bool, requests: int) -> None:
        from devices.conf import conf

        ask = self.asks[touched]
        if ask is None:
            return
        settings.DEVICES = self.devices
        conf.reload()
        forget = self.forget
        begin = time.perf_counter()
        for _ in range(requests):
            if forget:
                forget()
            ask()
        self.times[touched].append((time.perf_counter() - begin) / requests * 1e6)

    def microseconds(self, touched: bool) -> float:
        return statistics.median(self.times[touched])

    def ratio(self, touched: bool, other: "Contestant") -> float:
        pairs = zip(other.times[touched], self.times[touched], strict=True)
        return statistics.median(theirs / mine for theirs, mine in pairs)


def contestants(user: Any) -> Iterator[Contestant]:
    from allauth.headless.contrib.rest_framework.authentication import JWTTokenAuthentication
    from django.contrib.auth import login
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.handlers.wsgi import WSGIRequest
    from django.db import connection
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext
    from drf_sessions.auth import BearerAuthentication
    from drf_sessions.services import SessionService
    from knox.auth import TokenAuthentication
    from knox.models import get_token_model
    from rest_framework.permissions import AllowAny, IsAuthenticated
    from rest_framework.views import APIView
    from rest_framework_simplejwt.authentication import (
        JWTAuthentication,
        JWTStatelessUserAuthentication,
    )
    from rest_framework_simplejwt.tokens import AccessToken
    from trusted_devices.authentication import TrustedDeviceAuthentication
    from trusted_devices.models import TrustedDevice

    from devices.api.authentication import DeviceSessionAuthentication
    from devices.conf import conf
    from devices.core import sessions, tokens
    from devices.core.clients.client import Client
    from devices.core.liveness import invalidation
    from devices.core.liveness.cache import session_cache

    factory = RequestFactory()

    def ask(authentication: type | None, header: str, touched: bool) -> Ask:
        class View(APIView):
            authentication_classes = (authentication,) if authentication else ()
            permission_classes = (IsAuthenticated if authentication else AllowAny,)

            def get(self, request: Any) -> HttpResponse:
                return HttpResponse(request.user.email if touched else "")

        view = View.as_view()
        environ = factory.get("/", HTTP_AUTHORIZATION=header, **SAME).environ

        def ask() -> Any:
            return view(WSGIRequest(environ.copy()))

        answer = ask()
        assert answer.status_code == 200, answer.data
        return ask

    def contestant(
        name: str, authentication: type | None, token: Any, *, revokes: bool, scheme: str = "Bearer"
    ) -> Contestant:
        untouched = ask(authentication, f"{scheme} {token}", False)
        has_user = authentication not in (None, JWTStatelessUserAuthentication)
        touched = ask(authentication, f"{scheme} {token}", True) if has_user else None
        untouched()
        with CaptureQueriesContext(connection) as queries:
            untouched()
        return Contestant(name, revokes, untouched, touched, len(queries))

    yield contestant("no authentication", None, "", revokes=False)
    access = AccessToken.for_user(user)
    yield contestant(STATELESS, JWTStatelessUserAuthentication, access, revokes=False)
    yield contestant(PLAIN, JWTAuthentication, access, revokes=False)

    _, token = get_token_model().objects.create(user)
    yield contestant("knox", TokenAuthentication, token, revokes=True, scheme="Token")
    issued = SessionService.create_header_session(user)
    yield contestant("drf-sessions", BearerAuthentication, issued.access_token, revokes=True)

    device = TrustedDevice.objects.create(user=user, ip_address="127.0.0.1", user_agent="Firefox")
    access["device_uid"] = str(device.device_uid)
    yield contestant("django-trusted-devices", TrustedDeviceAuthentication, access, revokes=True)

    from allauth.headless.tokens.strategies.jwt.internal import create_access_token

    request = factory.get("/")
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.save()
    access = create_access_token(user, request.session, {})
    yield contestant("allauth JWT, stateful", JWTTokenAuthentication, access, revokes=True)

    session = sessions.start(user, Client("127.0.0.1"))
    access = tokens.issue(session).access
    authentication = DeviceSessionAuthentication
    yield contestant(DATABASE, authentication, access, revokes=True)
    once = contestant(ONCE, authentication, access, revokes=True)
    once.forget = tokens._checked._claims.clear
    yield once
    usual = settings.DEVICES
    settings.DEVICES = usual | {"TOUCH_INTERVAL": timedelta(0)}
    conf.reload()
    yield contestant(NOTED, authentication, access, revokes=True)
    settings.DEVICES = usual
    bus_url = "postgres" if connection.vendor == "postgresql" else os.environ.get("REDIS_URL")
    if bus_url:
        settings.DEVICES = settings.DEVICES | {"LIVENESS": "cached", "BUS": bus_url}
        conf.reload()
        invalidation.listen()
        while not session_cache.is_trusted:
            time.sleep(0.01)
        yield contestant(CACHED, authentication, access, revokes=True)


def measure(rounds: int, requests: int) -> str:
    """Run all on the database of DATABASE_URL and return the table, in Markdown."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from devices.core.liveness import invalidation

    logging.disable()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        user = get_user_model().objects.create_user("alice@example.org", "a password")
        all_of_them = list(contestants(user))
        turns = [(one, touched) for one in all_of_them for touched in (False, True)]
        for number in range(rounds + 1):
            random.shuffle(turns)
            for one, touched in turns:
                one.run(touched, requests)
            if not number:
                for one in all_of_them:  # the first round warms up
                    one.times = {False: [], True: []}
        return table(f"{connection.display_name} {server_version(connection)}", all_of_them)
    finally:
        invalidation.stop()
        teardown_databases(made, verbosity=0)


def server_version(connection: Any) -> str:
    if connection.vendor == "sqlite":
        return sqlite3.sqlite_version
    return ".".join(map(str, connection.get_database_version()))


def table(database: str, all_of_them: list[Contestant]) -> str:
    [plain] = [one for one in all_of_them if one.name == PLAIN]
    lines = [
        f"### {database}",
        "",
        "| | revokes at once | queries | µs | times plain | µs, user read | times plain, user read |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for one in all_of_them:
        cells = [one.name, "yes" if one.revokes else "no", str(one.queries)]
        for touched in (False, True):
            if one.times[touched]:
                cells += [f"{one.microseconds(touched):.0f}", f"{one.ratio(touched, plain):.2f}"]
            else:
                cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures(tables: list[str]) -> dict[str, dict[str, float]]:
    """How many times as fast as plain each is, on each database: the fourth column of the tables."""
    figures: dict[str, dict[str, float]] = {}
    for text in tables:
        title, *lines = text.splitlines()
        for line in lines[4:]:
            name, _, _, _, times, *_ = (cell.strip() for cell in line.strip("|").split("|"))
            # Without a database nothing compares.
            if name not in ("no authentication", STATELESS):
                label = name.replace("*", "").replace("`", "").replace("SimpleJWT ", "")
                figures.setdefault(label, {})[title.strip("# ").split()[0]] = float(times)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--requests", type=int, default=10, help="in each round and turn")
    parser.add_argument("--here", action="store_true", help="only on the database of DATABASE_URL")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    if options.here:
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
        django.setup()
        print(measure(options.rounds, options.requests))
        return
    tables = []
    for url in (os.environ.get("POSTGRES_URL", POSTGRES), "sqlite:///devices_bench.sqlite3"):
        command = [sys.executable, "-m", "benchmarks.auth_overhead", "--here"]
        command += ["--rounds", str(options.rounds), "--requests", str(options.requests)]
        done = subprocess.run(
            command, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.PIPE, text=True
        )
        if not done.returncode:
            tables.append(done.stdout.strip())
            print(tables[-1], end="\n\n", flush=True)
    machine = page.machine(PACKAGES)
    print(machine)
    if options.write:
        page.write(options.write, "auth_overhead", "\n\n".join([machine, *tables]))
        picture = options.write.parent / "images" / "auth_overhead.svg"
        page.bars(picture, "A request, times plain SimpleJWT", "times", _figures(tables))


if __name__ == "__main__":
    main()
