"""A database for each tenant, and a router that goes by the tenant of the request. Keys of users collide."""

import pytest
from django.db import connection

from tests.bus import redis_server

ROUTER = """
from contextvars import ContextVar

tenant = ContextVar("tenant")

class ByTenant:
    def db_for_read(self, model, **hints):
        return tenant.get("default")

    db_for_write = db_for_read

def by_host(get_response):
    def middleware(request):
        token = tenant.set(request.get_host().split(".")[0])
        try:
            return get_response(request)
        finally:
            tenant.reset(token)
    return middleware
"""

SCENE = """
from contextlib import contextmanager
from time import monotonic, sleep
from routers import tenant
from devices.core.liveness.cache import session_cache
RED, BLUE = {"Host": "red.example"}, {"Host": "blue.example"}

@contextmanager
def of(name):
    token = tenant.set(name)
    yield
    tenant.reset(token)

for name in ("red", "blue"):
    call_command("migrate", database=name, verbosity=0)
    with of(name):
        call_command("check", fail_level="ERROR", verbosity=0)
        User.objects.create_user("alice", f"alice@{name}.example", PASSWORD, is_superuser=name == "red")

def status(token, where):
    return ask("GET", "/api/sessions", token, **where).status_code

def remembered(token, where):
    until = monotonic() + 10
    before = session_cache.hits
    while session_cache.hits < before + 3:
        assert status(token, where) == 200
        assert monotonic() < until, "never remembered"
        sleep(0.05)
"""


def make(make_project, bus):
    project = make_project("default", "red", "blue")
    project.write("routers.py", ROUTER)
    project.configure(
        f"""
        DATABASE_ROUTERS = ["routers.ByTenant"]
        MIDDLEWARE = ["routers.by_host", *MIDDLEWARE]
        DEVICES = {{"LIVENESS": "cached", "BUS": "{bus}", "NOTICE_QUEUE": "worker"}}
        """
    )
    return project


def test_what_is_remembered_of_one_tenant_opens_no_other(make_project):
    with redis_server() as redis:
        make(make_project, f"redis://127.0.0.1:{redis.port}/0").play(
            SCENE
            + """
red, blue = sign_in(**RED)["access"], sign_in(**BLUE)["access"]
remembered(red, RED)
assert [status(red, BLUE) for _ in range(20)] == [401] * 20
remembered(blue, BLUE)
assert [status(blue, RED) for _ in range(20)] == [401] * 20
# The person of the same key in the other database stays.
assert ask("POST", "/api/sessions/revoke-all?keep_current=false", red, **RED).status_code == 200
assert (status(red, RED), status(blue, BLUE)) == (401, 200)
with of("blue"):
    alice = User.objects.get()
    alice.is_active = False
    alice.save()
assert status(blue, BLUE) == 401
with of("red"):
    assert User.objects.get().is_active
"""
        )


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: it is the bus")
def test_a_database_that_is_not_listened_to_is_asked_each_time(make_project):
    make(make_project, "postgres").play(
        SCENE
        + """
red = sign_in(**RED)["access"]
until = monotonic() + 2
while monotonic() < until:
    assert (status(red, RED), status(red, BLUE)) == (200, 401)
    sleep(0.05)
assert session_cache.is_trusted and session_cache.hits == 0
with connections["red"].cursor() as cursor:
    cursor.execute("UPDATE auth_user SET is_active = false")
assert status(red, RED) == 401
"""
    )
