"""When somebody has gone, nothing in the database tells of them: by whatever way they went."""

import io

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from devices import signals
from devices.core import erasure, sessions, throttling
from devices.core.clients.client import Client
from devices.core.clients.ip_address import customer_block
from devices.core.liveness import invalidation
from devices.core.log import activity
from devices.core.staff import statistics
from devices.models import (
    Activity,
    DeviceSession,
    LoginThrottle,
    Notification,
    NotificationPreferences,
    RevokeReason,
)
from tests.client import PASSWORD, Device
from tests.dump import dump

LOGIN = "zaphod.beeblebrox@example.org"
AGENT = "Mozilla/5.0 (Heart of Gold; Improbability) Zaphod/42.0"
APP = "ZaphodsApp/7.1 (Pixel 99; Android 15)"
HERE, THERE, BROWSER = "203.0.113.77", "2001:db8:42::7", "198.51.100.42"
NAME = "The second head's phone"
TRACES = ["zaphod", "Heart of Gold", "Pixel 99", HERE, THERE, BROWSER, "second head"]


@pytest.fixture
def traces(make_user):
    """Everything there can be of a member of staff, on all ways; and of somebody else, whom they helped."""
    zaphod = make_user(LOGIN, is_staff=True, is_superuser=True)
    other = make_user("trillian@example.org")
    browser = Browser(HTTP_USER_AGENT=AGENT, REMOTE_ADDR=BROWSER)
    form = {"login": LOGIN, "password": PASSWORD}
    assert browser.post("/accounts/login/", form).status_code == 302
    phone = Device(APP, HERE).sign_in(LOGIN)
    phone.patch("/api/sessions/current", {"name": NAME})
    phone.rotate()
    laptop = Device(AGENT, THERE).sign_in(LOGIN.upper())
    laptop.post("/api/sessions/current/confirm", {"password": PASSWORD})
    for password in ("wrong", PASSWORD):
        Device(AGENT, HERE).post("/api/login", {"email": LOGIN, "password": password})
    for _ in range(12):  # beyond the limit: attempts of the known device's own
        Device(AGENT, "192.0.2.200").post("/api/login", {"email": LOGIN, "password": "wrong"})
    Device(APP, HERE).post("/api/login", {"email": LOGIN, "password": "wrong"})
    theirs = sessions.start(other, Client("192.0.2.9", "Vogon/1.0"))
    sessions.revoke(theirs, reason=RevokeReason.ADMIN, by=zaphod, note="help")
    activity.record(theirs, "ticket.answered", {"n": 1}, by=zaphod)
    activity.record(sessions.start(zaphod, Client(HERE, APP)), "report.exported", {"from": HERE})
    stranger = Browser()
    stranger.force_login(other)
    page = f"/admin/accounts/user/{zaphod.pk}/change/"
    form = browser.get(page).context["adminform"].form
    values = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    answer = browser.post(page, {**values, **joined, "is_active": "on"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert LogEntry.objects.filter(object_repr=LOGIN, user=zaphod).exists()
    for repr_, message in (
        (LOGIN, ""),
        (f"{LOGIN} (primary)", f'[{{"added": {{"object": "{LOGIN}"}}}}]'),
    ):
        LogEntry.objects.create(
            user=other,
            content_type=ContentType.objects.get_for_model(LogEntry),
            object_id="7",
            object_repr=repr_,
            action_flag=2,
            change_message=message,
        )
    NotificationPreferences.objects.create(user=zaphod)
    statistics.count()
    assert Session.objects.count() == 2
    return zaphod, other


WAYS = {
    "the model's own delete": lambda user: user.delete(),
    "a queryset": lambda user: get_user_model().objects.filter(pk=user.pk).delete(),
    "the verb": erasure.erase,
    "the command": lambda user: call_command("erase_user", LOGIN, "--yes", stdout=io.StringIO()),
    "the admin": lambda user: delete_in_the_admin(user),
}


def delete_in_the_admin(user):
    root = get_user_model().objects.create_superuser("root@example.org", PASSWORD)
    browser = Browser()
    browser.force_login(root)
    page = f"/admin/accounts/user/{user.pk}/delete/"
    assert LOGIN in browser.get(page).content.decode()
    assert browser.post(page, {"post": "yes"}).status_code == 302
    assert LogEntry.objects.filter(action_flag=3, object_repr=erasure.ERASED).exists()
    # Where Django keeps what it will say on the next page.
    browser.get("/admin/")


@pytest.mark.django_db(transaction=True)
def test_A42_a_backup_tells_nothing_of_an_erased_user(traces):
    """As the database's own tool makes one, of what is committed."""
    test_A42_a_dump_of_the_database_tells_nothing_of_an_erased_user(traces, erasure.erase)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_A42_a_dump_of_the_database_tells_nothing_of_an_erased_user(traces, way):
    zaphod, other = traces
    before = dump().casefold()
    assert [trace for trace in TRACES if trace.casefold() not in before] == []
    key = str(zaphod.pk)
    limits = LoginThrottle.objects.count()
    way(zaphod)
    after = dump().casefold()
    assert [trace for trace in TRACES if trace.casefold() in after] == []
    assert LoginThrottle.objects.count() < limits
    mentions = Activity.objects.filter(user=other)
    assert {"reason": "admin", "note": "help"} in [line.data for line in mentions]
    assert not [line for line in mentions if line.data.get("by") == key or line.actor_id]
    # Nothing of others went.
    assert DeviceSession.objects.filter(user=other).count() == 2
    assert "trillian@example.org" in after
    assert not Notification.objects.filter(user_id=zaphod.pk).exists()


def test_no_digest_of_the_login_is_left(traces):
    zaphod, _ = traces
    keys = set(LoginThrottle.objects.values_list("pk", flat=True))
    erasure.erase(zaphod)
    left = set(LoginThrottle.objects.values_list("pk", flat=True))
    # What is left is of addresses, which are anybody's, and ends within the hour.
    places = (HERE, THERE, BROWSER, "192.0.2.200")
    addresses = {throttling._key("address", customer_block(place)) for place in places}
    assert left <= addresses < keys


def test_cookie_sessions_of_an_erased_user_end_with_the_verb(traces):
    zaphod, other = traces
    erasure.erase(zaphod)
    [left] = Session.objects.all()
    assert left.get_decoded()["_auth_user_id"] == str(other.pk)


def test_a_short_login_clears_no_entry_of_others(db, make_user):
    make_user("al")
    LogEntry.objects.create(
        user=make_user("root@example.org"),
        content_type=ContentType.objects.get_for_model(LogEntry),
        object_id="7",
        object_repr="also",
        action_flag=2,
        change_message="normal",
    )
    erasure.erase(get_user_model().objects.get(email="al"))
    [entry] = LogEntry.objects.all()
    assert (entry.object_repr, entry.change_message) == ("also", "normal")


def test_it_is_all_or_nothing(traces, monkeypatch):
    zaphod, _ = traces

    def broken(*args):
        raise RuntimeError

    monkeypatch.setattr(statistics, "clear", broken)
    lines, limits = Activity.objects.count(), LoginThrottle.objects.count()
    with pytest.raises(RuntimeError):
        erasure.erase(zaphod)
    zaphod.refresh_from_db()
    assert (Activity.objects.count(), LoginThrottle.objects.count()) == (lines, limits)


def test_the_command_tells_what_went_and_names_nobody(traces):
    out = io.StringIO()
    call_command("erase_user", LOGIN, "--yes", stdout=out)
    told = dict(line.split(": ") for line in out.getvalue().splitlines()[:-1])
    assert told["users"] == "1"
    assert int(told["device sessions"]) >= 4
    assert int(told["activities"]) > 5
    assert told["mentions in the log"] == "2"
    assert told["cookie sessions"] == "1"
    assert int(told["login limits"]) >= 2
    assert int(told["entries of the admin's log"]) >= 3
    assert "zaphod" not in out.getvalue()


@pytest.mark.parametrize("answer", ["", "yes", "ZAPHOD", LOGIN])
def test_the_command_asks_for_the_login(db, make_user, monkeypatch, answer):
    make_user(LOGIN)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    if answer == LOGIN:
        call_command("erase_user", LOGIN, stdout=io.StringIO())
    else:
        with pytest.raises(CommandError, match="Nothing was erased"):
            call_command("erase_user", LOGIN)
    assert get_user_model().objects.exists() == (answer != LOGIN)


def test_the_command_refuses_what_it_cannot_do(db, make_user, monkeypatch):
    make_user(LOGIN)
    with pytest.raises(CommandError, match="No user has this login"):
        call_command("erase_user", "ford@example.org", "--yes")
    monkeypatch.setattr("sys.stdin", io.StringIO(LOGIN))
    with pytest.raises(CommandError, match="add --yes"):
        call_command("erase_user", LOGIN)
    assert get_user_model().objects.exists()


def test_a_person_with_many_sessions_is_erased_by_a_few_statements(
    alice, bystanders, django_assert_max_num_queries
):
    bystanders(alice, 500)
    with django_assert_max_num_queries(60):
        erasure.erase(alice)
    assert not DeviceSession.objects.exists()


def test_the_end_of_a_session_is_told_when_its_user_is_deleted(
    alice, mallory, django_capture_on_commit_callbacks
):
    ended = []

    def hear(session, reason, **kwargs):
        ended.append((session.pk, reason))

    active, over = (sessions.start(alice, Client(HERE, AGENT)) for _ in range(2))
    sessions.revoke(over, reason=RevokeReason.LOGOUT)
    sessions.start(mallory, Client(HERE, AGENT))
    signals.session_revoked.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            alice.delete()
        with django_capture_on_commit_callbacks(execute=True):
            erasure.erase(mallory)
    finally:
        signals.session_revoked.disconnect(hear)
    assert ended[0] == (active.pk, RevokeReason.DEACTIVATED)
    assert len(ended) == 2


def test_many_are_deleted_by_reading_the_admins_log_once(make_user, mallory):
    people = [make_user(f"u{n}@example.org") for n in range(5)]
    make_user("Ü@example.org")
    kind = ContentType.objects.get_for_model(mallory)
    kept, *cleared = [
        LogEntry.objects.create(
            user=mallory, content_type=kind, object_id="0", action_flag=2, **named
        )
        for named in (
            {"object_repr": "mallory@example.org", "change_message": "@ nobody@u1@example"},
            {"object_repr": "U1@example.ORG"},
            {"object_repr": "an address", "change_message": '[{"changed": "u4@example.org"}]'},
            {"object_repr": "Ticket of u2@example.org."},
        )
    ]
    LogEntry.objects.filter(pk=kept.pk).update(object_id=str(mallory.pk))
    with CaptureQueriesContext(connection) as queries:
        type(mallory).objects.filter(pk__in=[user.pk for user in people]).delete()
    read = [each for each in queries if 'FROM "django_admin_log"' in each["sql"]]
    # One of them is Django's own, by the user who wrote it.
    assert len([each for each in read if "change_message" in each["sql"]]) <= 2
    told = dict(LogEntry.objects.values_list("pk", "object_repr"))
    assert told == {kept.pk: "mallory@example.org", **{entry.pk: "-" for entry in cleared}}


def test_a_deleted_user_is_forgotten_in_the_process_that_deleted_them(alice, monkeypatch):
    forgotten = []
    monkeypatch.setattr(invalidation, "publish", lambda keys: forgotten.extend(keys))
    pk = alice.pk
    alice.delete()
    assert pk in forgotten
