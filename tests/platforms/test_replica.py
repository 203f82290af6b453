"""A streaming replica that is seconds behind, to which the router sends every read it may."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from .project import Project
from .test_databases import REPLICA

BEHIND = 4
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
# PostgreSQL does not run as root.
USER = ["runuser", "-u", "nobody", "--"] if hasattr(os, "getuid") and os.getuid() == 0 else []

pytestmark = [
    pytest.mark.skipif(
        not (BINARIES or shutil.which("initdb")),
        reason="NO REPLICA: it needs the server's programs (initdb, pg_basebackup)",
    ),
    pytest.mark.skipif(
        bool(USER) and not shutil.which("runuser"),
        reason="NO REPLICA: PostgreSQL does not run as root, and there is no runuser",
    ),
]


def run(program: str, *arguments: object) -> None:
    path = str(BINARIES[-1] / program) if BINARIES else program
    command = [*USER, path, *map(str, arguments)]
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start(data: Path, port: int) -> None:
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-D", data, "-l", data / "log", "-o", options, "-w", "start")


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """A primary, and a replica that applies everything BEHIND seconds late."""
    folder = Path(tempfile.mkdtemp())
    if USER:
        shutil.chown(folder, "nobody")
    primary, replica = folder / "primary", folder / "replica"
    ports = free_port(), free_port()
    try:
        run("initdb", "-D", primary, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        start(primary, ports[0])
        source = f"host=127.0.0.1 port={ports[0]} user=postgres"
        run("pg_basebackup", "-d", source, "-D", replica, "-R", "-c", "fast", "--no-sync")
        with (replica / "postgresql.auto.conf").open("a") as file:
            file.write(f"recovery_min_apply_delay = '{BEHIND}s'\n")
        start(replica, ports[1])
        yield ports
    finally:
        for data in (replica, primary):
            with suppress(AssertionError):
                run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def project(ports: tuple[int, int], tmp_path: Path) -> Project:
    databases = {
        alias: {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "USER": "postgres",
            "NAME": "postgres",
        }
        for alias, port in zip(("default", "replica"), ports, strict=True)
    }
    project = Project(tmp_path, databases)
    labels = ["auth", "contenttypes", "sessions", "devices"]
    project.write("routers.py", REPLICA.format(labels=labels))
    project.configure("""
        DATABASE_ROUTERS = ["routers.Replica"]
        # Django's own sessions of pages are the host's to route.
        SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    """)
    project.play("call_command('migrate', verbosity=0)")
    with psycopg.connect(host="127.0.0.1", port=ports[0], user="postgres", dbname="postgres") as it:
        it.execute(
            "INSERT INTO auth_user (username, password, is_active, is_superuser, is_staff,"
            " first_name, last_name, email, date_joined) VALUES ('nobody', '!', false, false,"
            " false, '', '', '', now())"
        )
    # The tables have to have arrived.
    time.sleep(BEHIND + 1)
    return project


def test_what_has_just_begun_or_ended_is_known_at_once(project):
    project.play(f"""
    from time import monotonic, sleep
    from devices.models import DeviceSession
    User.objects.create_user("alice", "alice@example.org", PASSWORD)
    sleep({BEHIND} + 1)
    begun = monotonic()

    here, phone = sign_in(), sign_in()
    token, one = here["access"], phone["session_id"]
    listed = ask("GET", "/api/sessions", token).json()
    assert {{each["id"] for each in listed}} == {{one, here["session_id"]}}
    assert ask("GET", f"/api/sessions/{{one}}", token).status_code == 200
    assert ask("GET", f"/api/sessions/{{one}}/activity", token).json()["results"]
    assert len(ask("GET", "/api/sessions/history", token).json()["results"]) == 2
    assert ask("DELETE", f"/api/sessions/{{one}}", token).status_code == 204
    assert ask("GET", f"/api/sessions/{{one}}", token).status_code == 404
    assert [each["id"] for each in ask("GET", "/api/sessions", token).json()] == [here["session_id"]]
    assert ask("GET", "/api/sessions", phone["access"]).status_code == 401
    # Begun within the lag, and meant as well.
    sign_in()
    from io import StringIO
    out = StringIO()
    call_command("revoke_sessions", all=True, reason="Leak", yes=True, stdout=out)
    assert out.getvalue() == "Revoked: 2 sessions of 1 person.\\n", out.getvalue()
    assert not DeviceSession.objects.active().exists()
    assert ask("GET", "/api/sessions", token).status_code == 401
    assert ask("POST", "/api/token/refresh", data={{"refresh": here["refresh"]}}).status_code == 401

    # A password that has just been changed is not the old one's to sign in with.
    alice = User.objects.using("default").get(username="alice")
    alice.set_password("another horse battery 9")
    alice.save()
    old = ask("POST", "/api/token", data={{"username": "alice", "password": PASSWORD}})
    assert old.status_code == 401, old.content
    assert not DeviceSession.objects.active().exists()
    with connections["replica"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM devices_devicesession")
        behind = cursor.fetchone() == (0,)
    # On a machine that is slow the replica may have caught up.
    print(f"{{monotonic() - begun:.1f}} s, and the replica knew of {{'nothing' if behind else 'something'}}.")
    """)
