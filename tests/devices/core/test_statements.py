"""Statements that are compiled once do what Django's own would, each time with other values."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, F, PositiveIntegerField
from django.db.models.sql.compiler import SQLUpdateCompiler
from django.utils import timezone

from devices.core.statements import Parameter, Update
from devices.models import LoginThrottle
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
