"""When something goes wrong on our side: told in short, in JSON under /api/, and never open."""

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.test import Client

from devices.core.postgresql import Direct
from devices.core.sessions import validation
from devices.models import DeviceSession
from tests.client import PASSWORD, refusal
from tests.contract import PROTECTED
from tests.test_bad_input import BODIES


@pytest.fixture
def broken(monkeypatch):
    """broken(error): from now on, asking whether a session is alive raises it."""

    def broken(error):
        def load(*args, **kwargs):
            raise error

        monkeypatch.setattr(validation, "load", load)

    return broken


@pytest.fixture
def browser_of():
    def browser_of(user):
        browser = Client()
        browser.force_login(user)
        return browser

    return browser_of


@pytest.mark.parametrize(("method", "path", "body"), PROTECTED)
def test_16_5_4_a_fault_of_ours_opens_nothing_and_says_nothing(
    alice, sign_in, broken, method, path, body
):
    phone = sign_in(alice)
    phone.raise_request_exception = False
    broken(RuntimeError("SELECT secret FROM /srv/site.py"))
    answer = getattr(phone, method)(path, body)
    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": "Something went wrong.", "code": "error"},
    )


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_R03_without_a_database_nobody_gets_in(alice, sign_in, monkeypatch, error):
    phone = sign_in(alice)

    def execute(self, *args, **kwargs):
        raise error("could not connect to server at 10.0.0.7")

    tokens = {"refresh": phone.refresh_token, "token": phone.access, "email": alice.email}
    entrances = [path for path in BODIES if path.startswith(("/api/token", "/api/login"))]
    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", execute)
        patch.setattr(Direct, "execute", execute)
        answers = [getattr(phone, method)(path, body) for method, path, body in PROTECTED]
        for path in entrances:
            answers.append(phone.post(path, {**BODIES[path], **tokens, "password": PASSWORD}))
    assert len(answers) == len(PROTECTED) + 5
    for answer in answers:
        assert (refusal(answer), answer["Retry-After"]) == ((503, "unavailable"), "5")
        assert "10.0.0.7" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/sessions", "/devices/"])
def test_a_wrong_statement_is_a_fault_and_no_outage(alice, sign_in, browser_of, caplog, path):
    phone, browser = sign_in(alice), browser_of(alice)
    for client in (phone, browser):
        client.raise_request_exception = False
    table = DeviceSession._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME COLUMN last_active TO last_seen")
    try:
        answer = (phone if path.startswith("/api") else browser).get(path)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME COLUMN last_seen TO last_active")
    assert answer.status_code == 500
    assert any(record.exc_info for record in caplog.records)


def test_16_5_1_pages_are_told_in_html(db, monkeypatch):
    browser = Client(raise_request_exception=False)
    missing = browser.get("/nothing")
    assert (missing.status_code, missing["Content-Type"]) == (404, "text/html; charset=utf-8")
    monkeypatch.setattr("project.views.HomeView.get_context_data", None)
    failed = browser.get("/")
    assert (failed.status_code, failed["Content-Type"]) == (500, "text/html; charset=utf-8")
    for answer in (missing, failed):
        assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/", "/devices/", "/accounts/email/", "/admin/", "/accounts/login/"]
)
def test_R03_a_page_says_that_the_database_is_away_and_when_to_come_back(
    alice, browser_of, monkeypatch, path
):
    browser = browser_of(alice)
    browser.raise_request_exception = False

    def execute(self, *args, **kwargs):
        raise OperationalError("could not connect to server at 10.0.0.7")

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", execute)
        answer = browser.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert answer["Retry-After"] == "30"
    assert "<h1>Not available right now</h1>" in answer.content.decode()
    assert "10.0.0.7" not in answer.content.decode()
