"""Statements that are compiled once do what Django's own would, each time with other values."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, Count, Exists, F, OuterRef, PositiveIntegerField
from django.db.models.expressions import BaseExpression
from django.db.models.signals import post_save, pre_save
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler
from django.utils import timezone

from accounts.models import User
from devices.core.statements import Insert, Parameter, Select, Update
from devices.models import Activity, DeviceSession, LoginHistory, LoginThrottle
from tests.client import PASSWORD, Device

pytestmark = pytest.mark.django_db


@pytest.fixture
def add():
    """Adds so many failures to the row of a key, if it has fewer than that."""
    many = Parameter("many", PositiveIntegerField())
    rows = LoginThrottle.objects.filter(key=Parameter("key", CharField()), failures__lt=many)
    for key in ("a", "b"):
        LoginThrottle.objects.create(key=key, window_ends=timezone.now())
    return Update(rows, "default", failures=F("failures") + many)


def test_it_changes_the_rows_that_the_values_name(add):
    assert add.run({"key": "a", "many": 3}) == 1
    assert add.run({"key": "b", "many": 5}) == 1
    assert add.run({"key": "b", "many": 5}) == 0
    assert add.run({"key": "c", "many": 5}) == 0
    assert dict(LoginThrottle.objects.values_list("key", "failures")) == {"a": 3, "b": 5}


def test_it_returns_the_rows_as_they_are_now(add):
    LoginThrottle.objects.filter(key="a").update(consecutive=7)
    [row] = add.run_returning({"key": "a", "many": 2})
    assert row == LoginThrottle.objects.get(key="a")
    assert (row.failures, row.consecutive) == (2, 7)
    assert row.window_ends == LoginThrottle.objects.get(key="a").window_ends
    assert add.run_returning({"key": "a", "many": 2}) == []


def test_it_stores_json_as_it_is_given(alice):
    LoginHistory.objects.create(user=alice, data={"a": 1}, seen_at=timezone.now())
    read, data = (Parameter(name, LoginHistory._meta.get_field("data")) for name in ("read", "new"))
    change = Update(LoginHistory.objects.filter(data=read), "default", data=data)
    assert change.run({"read": {"a": 2}, "new": {}}) == 0
    assert change.run({"read": {"a": 1}, "new": {"b": [None]}}) == 1
    assert LoginHistory.objects.get().data == {"b": [None]}


@pytest.fixture
def by_email():
    """Users of an address, with their history, and how many activities they have."""
    rows = User.objects.select_related("devices_login_history").annotate(
        lines=Count("pk"), is_staff_here=Exists(User.objects.filter(pk=OuterRef("pk")))
    )
    email = Parameter("email", User._meta.get_field("email"))
    return Select(rows.filter(email=email), "default")


@pytest.mark.parametrize("has_history", [False, True])
def test_it_selects_what_the_queryset_does(make_user, by_email, has_history):
    alice, bob = make_user(), make_user("bob@example.org")
    if has_history:
        LoginHistory.objects.create(user=alice, data={"a": 1}, seen_at=timezone.now())
    for user in (alice, bob, alice):
        [found] = by_email.run({"email": user.email})
        assert vars(found).keys() >= vars(user).keys() - {"_password"}
        assert (found, found.date_joined) == (user, user.date_joined)
        assert found.lines == 1 and found.is_staff_here is True
        history = getattr(found, "devices_login_history", None)
        assert (history and history.data) == ({"a": 1} if has_history and user == alice else None)
        assert not found._state.adding and found._state.db == "default"
    assert by_email.run({"email": "nobody@example.org"}) == []


def test_two_threads_may_compile_the_same_queryset(alice, sign_in, monkeypatch):
    """As the first requests of a process do; what they compile is there until it ends."""
    key = Parameter("pk", DeviceSession._meta.get_field("id"))
    rows = DeviceSession.objects.select_related("user").filter(pk=key)
    compile_joins = SQLCompiler.get_from_clause
    other = threading.Thread(target=Select, args=(rows, "default"))
    has_begun, may_end = threading.Event(), threading.Event()

    def meet(self):
        if threading.current_thread() is other:
            has_begun.set()
            may_end.wait(10)
        else:
            may_end.set()
            other.join(10)
        return compile_joins(self)

    with monkeypatch.context() as patch:
        patch.setattr(SQLCompiler, "get_from_clause", meet)
        other.start()
        assert has_begun.wait(10)
        select = Select(rows, "default")
    phone = sign_in(alice)
    [session] = select.run({"pk": phone.session_id})
    assert session.user == alice


def test_it_inserts_rows_as_django_does(alice, sign_in):
    phone = sign_in(alice)
    given = {"session_id": phone.session_id, "user_id": alice.pk, "kind": "a.b", "data": {"c": 1}}
    given |= {"at": timezone.now(), "ip_address": "2001:db8::1"}
    rows = [Activity(**given), Activity(**given, is_precise=False, actor=alice)]
    Insert(Activity, "default").run(rows)
    Activity.objects.bulk_create(rows)
    ours, plain = [], []
    for place, row in enumerate(Activity.objects.filter(kind="a.b").order_by("pk").values()):
        (ours if place < 2 else plain).append({**row, "id": None})
    assert ours == plain and len(ours) == 2


def test_of_three_logins_the_last_resolves_no_expression(make_user, monkeypatch):
    user, resolved = make_user(), []
    resolve = BaseExpression.resolve_expression
    monkeypatch.setattr(
        BaseExpression,
        "resolve_expression",
        lambda self, *a, **k: resolved.append(self) or resolve(self, *a, **k),
    )
    # The second is the first that finds a past, which it writes over.
    for _ in range(3):
        resolved.clear()
        answer = Device().post("/api/login", {"email": user.email, "password": PASSWORD})
        assert answer.status_code == 200
    assert resolved == []


@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_who_listens_to_the_models_signals_hears_of_a_login(alice, signal):
    """As packages that audit all models do."""
    heard = []

    def hear(sender, instance, **kwargs):
        heard.append(instance)

    signal.connect(hear, sender=DeviceSession)
    try:
        phone = Device().sign_in(alice.email)
    finally:
        signal.disconnect(hear, sender=DeviceSession)
    assert [str(session.pk) for session in heard] == [phone.session_id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("run", ["run", "run_returning"])
def test_after_an_error_its_transaction_is_rolled_back(add, run):
    lowered = Update(LoginThrottle.objects.all(), "default", failures=F("failures") - 1)
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        with pytest.raises(IntegrityError):
            getattr(lowered, run)({})
        LoginThrottle.objects.count()
    assert not connection.needs_rollback


def test_of_two_logins_the_second_compiles_neither_the_count_of_attempts_nor_what_ends(
    alice, monkeypatch
):
    compiled = []
    compile_update = SQLUpdateCompiler.as_sql
    monkeypatch.setattr(
        SQLUpdateCompiler,
        "as_sql",
        lambda self: (compiled.append(self.query.get_meta().label), compile_update(self))[1],
    )
    for _ in range(2):
        compiled.clear()
        answer = Device().post("/api/login", {"email": alice.email, "password": PASSWORD})
        assert answer.status_code == 200
    assert not {"devices.DeviceSession", "devices.LoginThrottle"} & set(compiled)


@pytest.mark.django_db(transaction=True)
def test_what_changes_rows_says_so_to_who_reads_its_sql(add):
    """As packages do that cache queries."""
    verbs = []

    def note(execute, sql, params, many, context):
        verbs.append(sql.split()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        for _ in range(3):
            add.run({"key": "a", "many": 9})
            add.run_returning({"key": "b", "many": 9})
    assert verbs == ["UPDATE"] * 6
