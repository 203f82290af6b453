"""A host project on PostgreSQL through PgBouncer, by the lines of the README."""

import os
import shutil
from contextlib import ExitStack

import pytest
from django.db import connection

from tests.proxies.servers import pgbouncer

from .test_databases import EVERYTHING

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="NO POOLER: it needs PostgreSQL (DATABASE_URL)"
    ),
    pytest.mark.skipif(PROGRAM is None, reason="NO POOLER: pgbouncer is not installed"),
]

POOLED = """
SERVER = DATABASES["default"]
DATABASES["default"] = SERVER | {{
    "HOST": "127.0.0.1", "PORT": "{port}", "DISABLE_SERVER_SIDE_CURSORS": True,
}}
"""


# Without Django's switch for poolers, and on connections that are kept, on which statements are prepared.
KEPT = 'DATABASES["default"] |= {"DISABLE_SERVER_SIDE_CURSORS": False, "CONN_MAX_AGE": None}'


@pytest.fixture
def make_pooled(make_project, tmp_path):
    """make_pooled("transaction"): a project whose tables are there, behind a PgBouncer in this mode."""
    with ExitStack() as stack:

        def make(mode, **how):
            project = make_project()
            project.play("call_command('migrate', verbosity=0)")
            way = connection.get_connection_params()
            port = stack.enter_context(pgbouncer(PROGRAM, tmp_path, mode, way, **how))
            project.configure(POOLED.format(port=port))
            return project

        yield make


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_everything_works_through_it(make_pooled, mode):
    make_pooled(mode).play(EVERYTHING.format(db="default").replace("\n    ", "\n"))


def test_a_new_release_does_not_read_by_the_statement_of_the_old_one(make_pooled):
    """Without Django's switch for poolers. The server's connections keep what was prepared on them."""
    project = make_pooled("transaction", pool=2)
    project.configure(KEPT)
    project.play("""
    from devices.core.sessions.validation import Lookup
    from devices.models import DeviceSession
    User.objects.create_user("alice", password=PASSWORD)
    session = DeviceSession.objects.get(pk=sign_in()["session_id"])
    # As if the release before had read other columns.
    before = Lookup(DeviceSession, ["city"])
    for _ in range(3):
        before.find(session.pk, session.user_id)
    """)
    project.play("""
    import psycopg
    given = settings.DATABASES["default"]
    way = dict(host="127.0.0.1", port=given["PORT"], user=given["USER"], dbname=given["NAME"])

    def busy():
        other = psycopg.connect(**way, password=given["PASSWORD"])
        other.execute("SELECT 1")
        return other

    def asked():
        for _ in range(3):
            answer = ask("GET", "/api/sessions/current", here["access"])
            assert answer.status_code == 200, answer.content
            assert answer.json()["id"] == here["session_id"]

    here = sign_in()
    # The connection of the old release is busy: the statement is prepared on another.
    first = busy()
    asked()
    # Now that one is busy.
    second = busy()
    first.rollback()
    asked()
    """)


def test_logins_and_refreshes_are_safe_without_the_switch_too(make_pooled):
    """What is prepared on one backend is not asked of another in a transaction, whose end that would be."""
    project = make_pooled("transaction", pool=2)
    project.configure(KEPT)
    project.play("""
    import psycopg
    given = settings.DATABASES["default"]
    way = dict(host="127.0.0.1", port=given["PORT"], user=given["USER"], dbname=given["NAME"])
    User.objects.create_user("alice", password=PASSWORD)

    def sign_in_and_refresh():
        here = sign_in()
        answer = ask("POST", "/api/token/refresh", data={"refresh": here["refresh"]})
        assert answer.status_code == 200, answer.content
        assert ask("GET", "/api/sessions", answer.json()["access"]).status_code == 200

    for _ in range(3):
        sign_in_and_refresh()
    from django.db import connection
    from devices.core.postgresql import _Link
    connection.ensure_connection()
    assert not _Link(connection.connection).is_exclusive(connection.connection)
    connection.close()
    # The backend that has answered is busy, and there is one more.
    with psycopg.connect(**way, password=given["PASSWORD"]) as other:
        other.execute("SELECT 1")
        for _ in range(3):
            sign_in_and_refresh()
    for _ in range(3):
        sign_in_and_refresh()
    """)


def test_a_bus_that_hands_on_nothing_is_not_trusted(make_pooled):
    """It accepts LISTEN and answers SELECT 1, and no message comes round."""
    project = make_pooled("transaction")
    project.configure(
        """
        BUS = "postgres://{USER}@127.0.0.1:{PORT}/{NAME}".format(**DATABASES["default"])
        DEVICES = {"LIVENESS": "cached", "BUS": BUS, "NOTICE_QUEUE": "worker"}
        """
    )
    project.play("""
    from time import monotonic, sleep
    from devices.core.liveness.cache import session_cache
    User.objects.create_user("alice", password=PASSWORD)
    token = sign_in()["access"]
    until = monotonic() + 3
    while monotonic() < until:
        assert ask("GET", "/api/sessions", token).status_code == 200
        sleep(0.05)
    assert not session_cache.is_trusted and session_cache.hits == 0
    # By somebody else, who tells nobody.
    import psycopg
    server = settings.SERVER
    with psycopg.connect(host=server["HOST"], port=server["PORT"] or 5432, user=server["USER"],
                         password=server["PASSWORD"], dbname=server["NAME"]) as other:
        other.execute("ALTER TABLE devices_devicesession DISABLE TRIGGER USER")
        other.execute("UPDATE devices_devicesession SET revoked_at = now(), revoke_reason = 'admin'")
    assert ask("GET", "/api/sessions", token).status_code == 401
    """)
