"""V6.2.9 Hashers that refuse a password: nobody signs in by it, and nothing fails."""

from hashlib import sha256

import pytest
from django.conf import settings as project
from django.contrib.auth.hashers import (
    BCryptPasswordHasher,
    MD5PasswordHasher,
    ScryptPasswordHasher,
)
from django.test import override_settings

from accounts.models import User
from devices.checks import check_settings
from devices.core import sessions
from tests.client import PASSWORD, Device

LONG = "é" * 40


class Bcrypt5(MD5PasswordHasher):
    """Refuses what bcrypt 5.0.0 refuses, by its words; otherwise fast."""

    algorithm = "bcrypt5"

    def encode(self, password, salt):
        if len(password.encode()) > 72:
            raise ValueError("password cannot be longer than 72 bytes, truncate manually")
        return super().encode(password, salt)


class Scrypt(ScryptPasswordHasher):
    """As OWASP advises, without the memory for it."""

    work_factor = 2**17


class Enough(Scrypt):
    maxmem = 256 * 1024 * 1024


class Digests(BCryptPasswordHasher):
    digest = sha256
    library = None


class Cut(BCryptPasswordHasher):
    library = None


HERE = "tests.devices.core.test_hashing"
MD5 = "django.contrib.auth.hashers.MD5PasswordHasher"
BCRYPT = [f"{HERE}.Bcrypt5", MD5]


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_a_password_that_the_hasher_refuses_is_wrong(make_user, settings, email):
    settings.PASSWORD_HASHERS = BCRYPT
    make_user("alice@example.org")
    short = Device().post("/api/login", {"email": email, "password": "wrong"})
    answer = Device().post("/api/login", {"email": email, "password": LONG})
    assert (answer.status_code, answer.content) == (401, short.content)


def test_it_is_wrong_on_pages_and_where_the_current_one_is_asked_for(make_user, settings, client):
    settings.PASSWORD_HASHERS = BCRYPT
    alice = make_user()
    form = {"login": alice.email, "password": LONG}
    assert client.post("/accounts/login/", form).status_code == 200
    device = Device().sign_in(alice.email)
    given = {"current_password": LONG, "new_password": f"{PASSWORD}0"}
    assert device.post("/api/me/password", given).status_code == 400
    assert device.post("/api/sessions/current/confirm", {"password": LONG}).status_code == 400


def test_who_has_a_long_password_stays_under_the_old_hasher(make_user, settings):
    settings.PASSWORD_HASHERS = [MD5]
    alice = User.objects.create_user("alice@example.org", LONG)
    settings.PASSWORD_HASHERS = BCRYPT
    device = Device().post("/api/login", {"email": alice.email, "password": LONG})
    assert device.status_code == 200
    alice.refresh_from_db()
    assert alice.password.startswith("md5$")


def test_another_fault_of_a_hasher_is_not_hidden(make_user, monkeypatch):
    alice = make_user()

    def fail(*args, **kwargs):
        raise ValueError("Couldn't load 'Argon2PasswordHasher' algorithm library")

    monkeypatch.setattr("django.contrib.auth.hashers.verify_password", fail)
    with pytest.raises(ValueError, match="Argon2"):
        sessions.check_password(alice, PASSWORD)


@pytest.mark.parametrize(
    ("expected", "hashers"),
    [
        (set(), project.PASSWORD_HASHERS),
        ({"E102"}, [f"{HERE}.Scrypt"]),
        ({"E102"}, [MD5, f"{HERE}.Scrypt"]),
        (set(), [f"{HERE}.Enough"]),
        (set(), ["django.contrib.auth.hashers.ScryptPasswordHasher"]),
        ({"E102"}, ["django.contrib.auth.hashers.Argon2PaswordHasher"]),
        ({"W103"}, [f"{HERE}.Cut"]),
        (set(), [MD5, f"{HERE}.Cut"]),
        (set(), [f"{HERE}.Digests"]),
    ],
)
def test_hashers_that_fail_at_the_first_password_are_said(expected, hashers):
    with override_settings(PASSWORD_HASHERS=hashers):
        assert {message.id.removeprefix("devices.") for message in check_settings()} == expected


def test_a_hasher_whose_package_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(Cut, "library", ("nowhere", "nowhere"))
    with override_settings(PASSWORD_HASHERS=[f"{HERE}.Cut"]):
        [message] = check_settings()
    assert message.id == "devices.E102"
    assert "nowhere" in message.msg
    # As in Django's own list, for passwords that were hashed by it.
    with override_settings(PASSWORD_HASHERS=[MD5, f"{HERE}.Cut"]):
        assert check_settings() == []
