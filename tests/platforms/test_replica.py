"""A streaming replica that is seconds behind, to which the router sends every read it may."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.ports import free_port

from .postgres import Server, folder_for_servers, needs_servers
from .project import Project
from .test_databases import REPLICA

BEHIND = 4
pytestmark = [*needs_servers, pytest.mark.own_database]


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """A primary, and a replica that applies everything BEHIND seconds late."""
    folder = folder_for_servers(Path(tempfile.mkdtemp()))
    primary, replica = (Server(folder / name, free_port()) for name in ("primary", "replica"))
    try:
        primary.create()
        primary.start()
        replica.follow(primary.port)
        replica.configure(recovery_min_apply_delay=f"{BEHIND}s")
        replica.start()
        yield primary.port, replica.port
    finally:
        for server in (replica, primary):
            server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def project(ports: tuple[int, int], tmp_path: Path, wheel_site: Path) -> Project:
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
    project = Project(tmp_path, wheel_site, databases)
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
