"""The activity log as a whole: each deed with its line or not at all, and what host projects write."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import Client as Browser
from django.test import RequestFactory
from rest_framework.test import APIRequestFactory

from devices.core import sessions, tokens
from devices.core.binding import keys
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.exceptions import RefreshReused
from devices.models import Activity, Binding, DeviceSession, RevokeReason
from devices.shortcuts import get_session, record_activity
from tests.client import CHROME, PASSWORD

DOCS = Path(settings.BASE_DIR) / "docs"
DOC = (DOCS / "activity.md").read_text()
HERE = Client("203.0.113.7", CHROME)


# Each deed with its line


def replay(session):
    claims = tokens.read_refresh(tokens.issue(session).refresh)
    for _ in range(3):
        fresh = DeviceSession.objects.select_related("user").get(pk=session.pk)
        fresh_claims = tokens.read_refresh(tokens.issue(fresh).refresh)
        sessions.rotate(fresh_claims, HERE, check_cookie=shown)
    with pytest.raises(RefreshReused):
        sessions.rotate(claims, HERE, check_cookie=shown)


def shown(session):
    """The bound cookie came along."""


def deactivate(session):
    session.user.is_active = False
    session.user.save()


def change_password(session):
    session.user.set_password("another horse 9 battery")
    session.user.save()


def bound(session):
    key = keys.parse(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "EdDSA",
    )
    sessions.bind(session, Binding.DBSC, key)
    return session


DEEDS = {
    "session.started": lambda session: sessions.start(session.user, HERE),
    "session.renamed": lambda session: sessions.rename(session, "phone"),
    "session.confirmed": lambda session: sessions.confirm(session, HERE, method="password"),
    "session.reviewed": lambda session: sessions.review(session.pk, is_mine=True),
    "session.revoked": lambda session: sessions.revoke(session, reason=RevokeReason.USER),
    "session.revoked, everywhere": lambda s: sessions.revoke_all(s.user, reason=RevokeReason.USER_ALL),
    "session.revoked, in a batch": lambda s: sessions.revoke_batch([s], reason=RevokeReason.ADMIN),
    "session.revoked, with the account": deactivate,
    "session.revoked, with the password": change_password,
    "refresh.reused": replay,
    "binding.failed": lambda session: sessions.refuse_copy(session, HERE, "proof_missing"),
    "binding.lost": lambda session: sessions.unbind(session, HERE, "key_lost"),
}  # fmt: skip


def state():
    """All there is of sessions, but for what refreshes that succeeded moved, and the database by itself."""
    moved = ("generation", "generation_used", "rotated_at", "expires_at", "last_active", "last_ip")
    moved += ("password_stamp",)
    rows = DeviceSession.objects.order_by("pk").values()
    return [{name: fact for name, fact in row.items() if name not in moved} for row in rows]


@pytest.fixture
def session(alice):
    return sessions.start(alice, HERE)


@pytest.mark.parametrize("name", DEEDS)
def test_what_happens_is_written_down_with_it(session, name):
    before = Activity.objects.count()
    DEEDS[name](bound(session))
    kinds = set(Activity.objects.order_by("id").values_list("kind", flat=True)[before:])
    assert name.split(",")[0] in kinds


@pytest.mark.parametrize("name", DEEDS)
def test_2_3_3_what_cannot_be_written_down_does_not_happen(session, name, monkeypatch):
    class NoRoom(Exception):
        pass

    def fail(lines):
        raise NoRoom

    bound(session)
    before = state()
    monkeypatch.setattr(Activity.objects, "bulk_create", fail)
    monkeypatch.setattr(activity, "_insert", fail)
    with pytest.raises(NoRoom):
        DEEDS[name](session)
    assert state() == before
    assert not Activity.objects.exclude(kind__in=["session.started", "device.new"]).exists()


def test_the_document_names_the_kinds_there_are():
    [table] = re.findall(
        r"^## The activity of a session\n(.*?)^## ", (DOCS / "api.md").read_text(), re.M | re.S
    )
    told = set(re.findall(r"^\| `([a-z.]+)` \|", table, re.MULTILINE))
    sources = "".join(
        path.read_text() for path in Path(settings.BASE_DIR).glob("devices/core/**/*.py")
    )
    prefixes = "account|session|refresh|login|device|binding"
    recorded = set(
        re.findall(
            rf'(?:Entry|record|_suspect)\(\s*(?:session|by|last), "((?:{prefixes})\.[a-z]+)"',
            sources,
        )
    )
    assert told == recorded
    assert f"at most {activity.KIND_LENGTH} characters" in DOC
    assert f"at most {activity.DATA_LENGTH} characters" in DOC


# Lines of host projects


@pytest.fixture
def examples():
    """What the document's examples define."""
    defined = {}
    for code in re.findall(r"```python\n(.*?)```", DOC, re.DOTALL):
        if not code.startswith("# shop/urls.py"):
            exec(code, defined)
    return defined


def test_the_example_of_a_view_works_with_a_token_and_with_a_cookie(alice, sign_in, examples):
    phone = sign_in(alice, ip="198.51.100.4")

    view = examples["ExportView"].as_view()
    request = APIRequestFactory(REMOTE_ADDR="198.51.100.9").post(
        "/", headers={"Authorization": f"Bearer {phone.access}"}
    )
    assert view(request).status_code == 201
    line = Activity.objects.get(kind="report.exported")
    assert (str(line.session_id), line.user_id) == (phone.session_id, alice.pk)
    assert (line.data, line.ip_address) == ({"rows": 3}, "198.51.100.9")

    browser = Browser(REMOTE_ADDR="198.51.100.5")
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    page = browser.get("/devices/").wsgi_request
    assert examples["record_activity"](page, "report.exported")
    line = Activity.objects.filter(kind="report.exported").latest("id")
    assert line.session == page.device_session
    assert line.ip_address == "198.51.100.5"


def test_the_example_without_a_request_works(session, mallory, examples):
    examples["answer_ticket"](session, mallory)
    line = Activity.objects.get(kind="ticket.answered")
    assert line.data == {"ticket": 42, "by": str(mallory.pk)}
    assert (line.actor, line.ip_address) == (mallory, None)


def test_a_request_without_a_session_writes_nothing_and_says_so(db):
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert get_session(request) is None
    assert record_activity(request, "report.exported") is False
    request.auth = {"some": "other token"}
    assert record_activity(request, "report.exported") is False
    assert not Activity.objects.exists()


deep: list = []
for _ in range(100_000):
    deep = [deep]

REFUSED = {
    "no dot": ("exported", {}),
    "nothing": ("", {}),
    "upper case": ("Report.Exported", {}),
    "a space": ("report exported.x", {}),
    "a line": ("report.exported\n", {}),
    "too long": (f"report.{'x' * 64}", {}),
    "no text": (None, {}),
    "a list": ("report.exported", [1]),
    "text": ("report.exported", "rows"),
    "no JSON": ("report.exported", {"x": object()}),
    "no number": ("report.exported", {"x": float("nan")}),
    "infinity": ("report.exported", {"x": [float("-inf")]}),
    "a key that is none": ("report.exported", {(1, 2): 3}),
    "NUL": ("report.exported", {"x": "a\x00b"}),
    "NUL in a key": ("report.exported", {"a\x00b": 1}),
    "half a character": ("report.exported", {"x": "\ud800"}),
    "much": ("report.exported", {"x": "x" * 8200}),
    "deep": ("report.exported", {"x": deep}),
}


@pytest.mark.parametrize(("kind", "data"), REFUSED.values(), ids=REFUSED)
def test_what_no_line_can_hold_is_refused_before_the_database_is_asked(
    session, kind, data, django_assert_num_queries
):
    with transaction.atomic():
        with django_assert_num_queries(0), pytest.raises(ValueError):  # noqa: PT011
            activity.record(session, kind, data)
        activity.record(session, "report.exported")
    assert Activity.objects.filter(kind="report.exported").count() == 1


@pytest.mark.parametrize("address", ["", "x", "203.0.113.7/32", "203.0.113.7\x00", 1])
def test_an_address_that_is_none_is_refused(session, address, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(ValueError):  # noqa: PT011
        activity.record(session, "report.exported", ip_address=address)


TAKEN = [
    {}, {"x": None}, {"x": 1.5, "y": [True, {"z": "ä📱"}]}, {"backslash": "\\u0000 \\ud800 \\\\u0000"},
    {"quotes": "\"'`;--"}, {1: "a number as key"}, {"x": "x" * 8000},
]  # fmt: skip


@pytest.mark.parametrize("data", TAKEN, ids=range(len(TAKEN)))
def test_what_json_holds_comes_back_as_it_was(session, data):
    activity.record(session, "report.exported", data, ip_address="2001:db8::7")
    line = Activity.objects.get(kind="report.exported")
    assert line.data == {str(key): value for key, value in data.items()}


def test_a_line_is_one_insert_in_the_callers_transaction(session, django_assert_num_queries):
    with django_assert_num_queries(1):
        activity.record(session, "report.exported", {"rows": 3})
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        activity.record(session, "report.undone")
        1 / 0  # noqa: B018
    assert not Activity.objects.filter(kind="report.undone").exists()
