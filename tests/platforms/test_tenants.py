"""django-tenants: a schema for each tenant, with users and sessions of its own whose keys are the same."""

import os
import sys
from importlib.util import find_spec

import pytest
from django.db import connection

PYTHON = os.environ.get("TENANTS_PYTHON") or (sys.executable if find_spec("django_tenants") else "")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="NO TENANTS: they need PostgreSQL (DATABASE_URL)"
    ),
    pytest.mark.skipif(
        not PYTHON,
        reason="NO TENANTS: name a Python that has django-tenants in TENANTS_PYTHON",
    ),
]

SETTINGS = """
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
SHARED_APPS = ["django_tenants", "customers", "django.contrib.contenttypes"]
TENANT_APPS = [app for app in INSTALLED_APPS]
INSTALLED_APPS = ["django_tenants", "customers", *TENANT_APPS]
TENANT_MODEL, TENANT_DOMAIN_MODEL = "customers.Customer", "customers.Domain"
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
DEVICES = {"LIVENESS": "cached", "BUS": "postgres", "SITE_URL": "https://host.example"}
"""

MODELS = """
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

class Customer(TenantMixin):
    auto_create_schema = True

class Domain(DomainMixin):
    pass
"""

SCENE = """
from time import monotonic, sleep
from django_tenants.utils import schema_context
from customers.models import Customer, Domain
call_command("makemigrations", "customers", verbosity=0)
call_command("migrate_schemas", verbosity=0)
for name in ("red", "blue"):
    customer = Customer.objects.create(schema_name=name)
    Domain.objects.create(domain=f"{name}.example", tenant=customer, is_primary=True)
    with schema_context(name):
        User.objects.create_user("alice", f"alice@{name}.example", PASSWORD, is_superuser=name == "red")
RED, BLUE = {"Host": "red.example"}, {"Host": "blue.example"}
connection.set_schema_to_public()
call_command("check", verbosity=0)

def status(token, where):
    return ask("GET", "/api/sessions", token, **where).status_code

def wait_for(told):
    until = monotonic() + 10
    while not told():
        assert monotonic() < until
        sleep(0.05)
"""


@pytest.fixture
def project(make_project):
    project = make_project()
    project.write("customers/__init__.py", "")
    project.write("customers/models.py", MODELS)
    project.configure(SETTINGS)
    return project


def test_a_token_is_good_for_its_own_tenant_alone(project):
    project.play(
        SCENE
        + """
token = sign_in(**RED)["access"]
from devices.core.liveness.cache import session_cache
for _ in range(20):
    assert status(token, RED) == 200
    sleep(0.05)
assert session_cache.hits > 0
assert [status(token, BLUE) for _ in range(20)] == [401] * 20
assert [status(token, RED) for _ in range(20)] == [200] * 20
# The end of a session is heard, whichever schema it is in.
assert ask("POST", "/api/sessions/revoke-all?keep_current=false", token, **RED).status_code == 200
assert status(token, RED) == 401
token = sign_in(**BLUE)["access"]
assert status(token, BLUE) == 200
with schema_context("blue"), connection.cursor() as cursor:
    cursor.execute("UPDATE auth_user SET is_active = false")
wait_for(lambda: status(token, BLUE) == 401)
# Not the one of the same key in the other schema.
token = sign_in(**RED)["access"]
assert status(token, RED) == 200
# By another program, with another search path.
connection.set_schema_to_public()
with connection.cursor() as cursor:
    cursor.execute("UPDATE red.auth_user SET is_active = false")
    cursor.execute("SELECT password_stamp FROM blue.devices_devicesession")
    cursor.execute("SELECT count(*) FROM red.devices_devicesession WHERE password_stamp = ''")
    assert cursor.fetchone() == (1,)
""",
        python=PYTHON,
    )


def test_mails_are_sent_for_each_tenant(project):
    project.play(
        SCENE
        + """
from django.core import mail
from devices.core.notifications import worker
for where in (RED, BLUE):
    sign_in(**where)
    alice = ask("POST", "/api/token", data={"username": "alice", "password": PASSWORD}, **where)
for name in ("red", "blue"):
    with schema_context(name):
        alice = User.objects.get()
        alice.set_password(PASSWORD + "!")
        alice.save()
connection.set_schema_to_public()
BOTH = {"alice@red.example", "alice@blue.example"}
wait_for(lambda: {to for each in mail.outbox for to in each.to} >= BOTH)

# What was left undone is found in each schema.
settings.DEVICES["NOTICE_QUEUE"] = "worker"
sent = len(mail.outbox)
for name in ("red", "blue"):
    with schema_context(name):
        alice = User.objects.get()
        alice.set_password(PASSWORD)
        alice.save()
call_command("devices_worker", once=True, verbosity=0)
# The thread may have taken one of them.
wait_for(lambda: len(mail.outbox) == sent + 2)
import os
os._exit(0)
""",
        python=PYTHON,
    )


def test_statements_that_are_prepared_ask_the_tenant_of_the_request(project):
    """On a connection that is kept, as in production."""
    project.configure(
        """
        DEBUG, ALLOWED_HOSTS = False, ["*"]
        DATABASES["default"]["CONN_MAX_AGE"] = None
        DEVICES = {"NOTICE_QUEUE": "worker"}
        """
    )
    project.play(
        SCENE
        + """
for _ in range(5):
    red, blue = sign_in(**RED), sign_in(**BLUE)
    for _ in range(3):
        for here, there in ((RED, BLUE), (BLUE, RED)):
            mine, theirs = (red, blue) if here is RED else (blue, red)
            listed = ask("GET", "/api/sessions", mine["access"], **here)
            assert listed.status_code == 200, listed.content
            shown = {each["id"] for each in listed.json()}
            assert mine["session_id"] in shown and theirs["session_id"] not in shown
            assert status(theirs["access"], here) == 401
    answer = ask("POST", "/api/token/refresh", data={"refresh": red["refresh"]}, **RED)
    assert answer.status_code == 200
    answer = ask("POST", "/api/token/refresh", data={"refresh": blue["refresh"]}, **RED)
    assert answer.status_code == 401
""",
        python=PYTHON,
    )
