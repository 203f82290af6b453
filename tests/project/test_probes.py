"""What Kubernetes asks: is the process alive, and is it ready?"""

import logging

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings

from project import probes

# As a kubelet sends it.
PROBE = {"HTTP_HOST": "10.244.1.17:8000", "HTTP_USER_AGENT": "kube-probe/1.31"}
PRODUCTION = override_settings(ALLOWED_HOSTS=["api.example.org"], SECURE_SSL_REDIRECT=True)


@pytest.fixture(autouse=True)
def nothing_known():
    probes._ask_migrations.cache_clear()


@PRODUCTION
def test_a_probe_calls_the_pod_by_its_address():
    # The database is not even allowed here.
    answer = Client(**PROBE).get("/healthz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "liveness": {"mode": "database"}},
    )
    assert Client(**PROBE).get("/healthz/").json() == answer.json()
    assert Client(**PROBE).get("/api/schema").status_code == 400


@PRODUCTION
def test_a_site_with_all_it_needs_is_ready(db):
    answer = Client(**PROBE).get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "ok",
            "database": "ok",
            "migrations": "ok",
            "cache": "ok",
            "liveness": {"mode": "database"},
        },
    )
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies


def test_without_its_database_it_lives_and_is_not_ready(db, monkeypatch, caplog):
    def away(self):
        raise OperationalError("could not connect to server at 10.0.0.7")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", away)
        patch.setattr(BaseDatabaseWrapper, "is_usable", lambda self: False, raising=False)
        answer = Client(**PROBE).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "failed"
    assert "10.0.0.7" not in answer.content.decode()
    assert "10.0.0.7" in caplog.text
    assert Client(**PROBE).get("/healthz").status_code == 200


def test_a_new_release_is_not_ready_before_its_migrations(db, caplog):
    caplog.set_level(logging.WARNING)
    call_command("migrate", "devices", "zero", fake=True, verbosity=0)
    answer = Client(**PROBE).get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, "failed")
    assert "migrations are not applied" in caplog.text
    call_command("migrate", "devices", fake=True, verbosity=0)
    assert Client(**PROBE).get("/readyz").status_code == 200


def test_without_the_table_of_its_cache_it_is_not_ready(db):
    caches = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "no_such_table",
        }
    }
    with override_settings(CACHES=caches):
        assert Client(**PROBE).get("/readyz").json()["cache"] == "failed"


def test_a_bus_that_is_away_is_told_and_the_site_is_ready(db, settings):
    settings.DEVICES = {**settings.DEVICES, "LIVENESS": "cached", "BUS": "redis://127.0.0.1:1/0"}
    answer = Client(**PROBE).get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["liveness"]["bus"] != "alive"
