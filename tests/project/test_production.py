"""The environment alone makes it a production site."""

import os
import sqlite3
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.own_database

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "DEBUG": "false",
    "SECRET_KEY": "one long random string that only this test knows of, 1234567890",
    "JWT_SECRET_KEY": "another long random string that only this test knows, 1234567890",
    "ALLOWED_HOSTS": "api.example.org",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "SECURE_SSL_REDIRECT": "true",
    "SITE_URL": "https://api.example.org",
}


def check(**changes):
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level=WARNING"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **PRODUCTION, **changes},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("database", ["sqlite:///unused.sqlite3", "postgres://db.example.org/x"])
def test_djangos_deployment_checks_find_nothing_to_warn_of(database):
    # Django 6.1 warns of a backend that sends nothing.
    checked = check(DATABASE_URL=database, EMAIL_URL="smtp://mail.example.org")
    assert checked.returncode == 0, checked.stderr
    assert "no issues (0 silenced)" in checked.stdout


def test_migrating_makes_all_that_a_site_needs(tmp_path):
    """The suite's own database has the table of the cache without it."""
    file = tmp_path / "site.sqlite3"
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **PRODUCTION, "DATABASE_URL": f"sqlite:///{file}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(file) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert {
        "accounts_user",
        "devices_devicesession",
        settings.CACHES["default"]["LOCATION"],
    } <= tables


@pytest.mark.parametrize(
    "change", [{"DEBUG": "true"}, {"JWT_SECRET_KEY": PRODUCTION["SECRET_KEY"]}]
)
def test_what_does_not_belong_in_production_is_found(change):
    assert check(**change).returncode == 1
