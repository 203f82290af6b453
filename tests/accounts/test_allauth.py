"""What allauth does by itself in another way than the rest of the site."""

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from tests.client import CHROME

APP = "/_allauth/app/v1"
BLANKS = " correct horse battery 9 "
pytestmark = pytest.mark.django_db


def post(path, **data):
    return Client(HTTP_USER_AGENT=CHROME).post(path, data, content_type="application/json")


@pytest.mark.parametrize("door", ["api", "page", "app"])
def test_V6_2_9_a_password_is_taken_as_it_was_typed(door):
    email = "blanks@example.org"
    match door:
        case "api":
            post("/api/register", email=email, password=BLANKS)
        case "page":
            Client().post("/accounts/signup/", {"email": email, "password1": BLANKS})
        case "app":
            post(f"{APP}/auth/signup", email=email, password=BLANKS)
    assert User.objects.get().check_password(BLANKS)
    for path in ("/api/login", "/api/token", f"{APP}/auth/login"):
        assert post(path, email=email, password=BLANKS).status_code == 200, path
        assert post(path, email=email, password=BLANKS.strip()).status_code in (400, 401), path


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '{"email": "\\ud800"}', "[]"])
def test_a_body_that_no_endpoint_of_ours_would_take_is_400(body):
    answer = Client().post(f"{APP}/auth/login", body, content_type="application/json")
    assert answer.status_code == 400


def test_mails_name_the_site_and_not_the_host_of_the_request(alice):
    Client().post(
        "/accounts/password/reset/", {"email": alice.email}, headers={"Host": "elsewhere.example"}
    )
    text = mail.outbox[-1].body
    assert "https://devices.test/accounts/password/reset/key/" in text
    assert "elsewhere.example" not in text


def test_account_pages_are_not_kept_in_caches(client, alice):
    client.force_login(alice)
    for path in ("/accounts/email/", "/accounts/login/", "/accounts/2fa/"):
        assert "no-store" in client.get(path)["Cache-Control"], path


def test_a_form_with_a_file_is_refused(client):
    files = {"email": "a@example.org", "file": SimpleUploadedFile("a.bin", b"x" * 10)}
    assert client.post("/accounts/signup/", files).status_code == 400


@pytest.mark.parametrize("path", ["/accounts/2fa/webauthn/login/", f"{APP}/auth/webauthn/login"])
def test_who_asks_for_challenges_makes_a_bounded_number_of_rows(path):
    answers = {
        Client(HTTP_X_REQUESTED_WITH="XMLHttpRequest").get(path).status_code for _ in range(70)
    }
    assert answers == {200, 429}
    assert Session.objects.count() <= 60
