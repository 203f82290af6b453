"""A move to another server, with the commands of docs/recipes/new-server.md."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.bus import wait_for
from tests.ports import free_port

from .postgres import BINARIES, Server, folder_for_servers, needs_servers
from .project import Project

PAGE = Path(settings.BASE_DIR, "docs", "recipes", "new-server.md").read_text()
COPY, IS_COPIED, HAS_ALL, SWITCH = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.M)
MOVE = PAGE.partition("## From SQLite")[2]
DUMP, MIGRATE, LOAD = re.findall(r"^    python manage.py (.*)$", MOVE, re.MULTILINE)
pytestmark = [*needs_servers, pytest.mark.own_database]


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """The old one, and the new one."""
    folder = folder_for_servers(Path(tempfile.mkdtemp()))
    old, new = (Server(folder / name, free_port()) for name in ("old", "new"))
    try:
        for each in (old, new):
            each.create()
            each.configure(wal_level="logical")
            each.start()
        yield old, new
    finally:
        for each in (new, old):
            each.stop()
        shutil.rmtree(folder)


def database(server: Server) -> dict[str, str]:
    engine = "django.db.backends.postgresql"
    place = {"HOST": "127.0.0.1", "PORT": str(server.port), "NAME": "postgres"}
    return {"ENGINE": engine, "USER": "postgres", **place}


def test_sessions_move_to_another_server(servers, tmp_path, wheel_site):
    old, new = servers
    project = Project(tmp_path, wheel_site, {"default": database(old)})
    project.configure('DEVICES["FEED"] = True; DEVICES["SIGNING_KEYS"] = "database"')
    url = "postgresql://postgres@127.0.0.1:{}/postgres"
    env = {**os.environ, "OLD": url.format(old.port), "NEW": url.format(new.port)}
    if BINARIES:
        env["PATH"] = f"{BINARIES[-1]}:{env['PATH']}"

    def run(commands: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", commands]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    project.play("""
    from devices.core import failover
    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", "alice@example.org", PASSWORD)
    before = [sign_in() for _ in range(3)]
    failover.look()
    open("before.json", "w").write(json.dumps(before))
    """)
    run(COPY)
    wait_for(lambda: run(IS_COPIED) == "0", 60)
    project.play("""
    from devices.core import database, ended
    # Who reads changes by logical decoding is no standby that a failover leads to.
    assert database.replication()[2] == 0
    ending, *_ = json.load(open("before.json"))
    assert ask("POST", "/api/token/blacklist", data={"refresh": ending["refresh"]}).status_code == 200
    open("cursor", "w").write(ended.read(None, 10).cursor)
    """)
    wait_for(lambda: run(HAS_ALL) == "t", 60)
    project.configure(f"DATABASES = {{'default': {database(new)!r}}}")
    project.play("""
    from django.core.management.base import SystemCheckError
    try:
        call_command("check", databases=["default"])
    except SystemCheckError as error:
        assert "devices.E153" in str(error) and "devices_activity" in str(error), error
    else:
        raise AssertionError("not told")
    """)
    run(SWITCH)
    project.play("""
    from devices.core import ended, failover
    from devices.models import DeviceSession
    call_command("check", databases=["default"])
    call_command("migrate", verbosity=0)
    gone, kept, other = json.load(open("before.json"))
    assert ask("GET", "/api/sessions", gone["access"]).status_code == 401
    assert ask("POST", "/api/token/refresh", data={"refresh": gone["refresh"]}).status_code == 401
    here = ask("POST", "/api/token/refresh", data={"refresh": kept["refresh"]}).json()["access"]
    sign_in()
    assert ask("DELETE", f"/api/sessions/{other['session_id']}", here).status_code == 204
    assert ask("GET", "/api/sessions", other["access"]).status_code == 401
    page = ended.read(open("cursor").read(), 10)
    assert page.is_reset and set(page.sessions) == {gone["session_id"], other["session_id"]}
    # The triggers came with the schema.
    User.objects.update(is_active=False)
    User.objects.update(is_active=True)
    assert ask("GET", "/api/sessions", here).status_code == 401
    assert failover.look() is not None
    """)


def test_sessions_move_from_sqlite(servers, tmp_path, wheel_site):
    _, new = servers
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    project = Project(tmp_path, wheel_site, {"default": sqlite})
    project.play(f"""
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("alice", "alice@example.org", PASSWORD)
    gone, kept, copied = [sign_in() for _ in range(3)]
    assert ask("POST", "/api/token/blacklist", data={{"refresh": gone["refresh"]}}).status_code == 200
    later = copied
    for _ in range(2):
        later = ask("POST", "/api/token/refresh", data={{"refresh": later["refresh"]}}).json()
    browser = Client()
    browser.post("/admin/login/", {{"username": "alice", "password": PASSWORD}})
    cookie = browser.cookies["sessionid"].value
    open("before.json", "w").write(json.dumps([gone, kept, copied, cookie]))
    call_command(*{DUMP.split()!r})
    """)
    project.configure(f"DATABASES = {{'default': {database(new)!r}}}")
    project.play(f"""
    for each in {[MIGRATE.split(), LOAD.split()]!r}:
        call_command(*each)
    call_command("check", databases=["default"])
    gone, kept, copied, cookie = json.load(open("before.json"))
    assert ask("GET", "/api/sessions", gone["access"]).status_code == 401
    assert ask("POST", "/api/token/refresh", data={{"refresh": gone["refresh"]}}).status_code == 401
    here = ask("POST", "/api/token/refresh", data={{"refresh": kept["refresh"]}}).json()["access"]
    browser = Client()
    browser.cookies["sessionid"] = cookie
    assert browser.get("/admin/").status_code == 200
    # A copy that was used there is one here.
    answer = ask("POST", "/api/token/refresh", data={{"refresh": copied["refresh"]}})
    assert answer.json()["code"] == "refresh_reused", answer.content
    sign_in()
    User.objects.update(is_active=False)
    User.objects.update(is_active=True)
    assert ask("GET", "/api/sessions", here).status_code == 401
    """)
