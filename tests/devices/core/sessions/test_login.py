"""A login, whatever the manager of the user model does."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Count, Window
from django.db.models.functions import RowNumber
from django.test.utils import CaptureQueriesContext

from accounts.models import User, UserManager
from devices import shortcuts
from devices.core.sessions import login, validation
from devices.exceptions import AccountNotActive
from devices.shortcuts import Client


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO SCHEMAS: needs PostgreSQL")
def test_users_whose_table_has_its_schema_in_its_name_are_locked(alice, monkeypatch):
    monkeypatch.setattr(User._meta, "db_table", f'public"."{User._meta.db_table}')
    login._locking.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        shortcuts.start_session(Client(), alice)
    login._locking.cache_clear()
    locks = [each["sql"] for each in queries if "FOR NO KEY UPDATE" in each["sql"]]
    assert len(locks) == 1 and 'FROM "public"."accounts_user"' in locks[0]


GROUPED = {
    "counts": lambda users: users.annotate(roles=Count("groups")),
    "takes each row once": lambda users: users.filter(groups__name__gte="").distinct(),
    "numbers the rows": lambda users: users.annotate(place=Window(RowNumber(), order_by="pk")),
    "only filters": lambda users: users,
}


@pytest.mark.parametrize("adds", GROUPED.values(), ids=GROUPED)
def test_who_a_manager_shows_can_sign_in_whatever_it_adds_to_its_rows(alice, monkeypatch, adds):
    class Manager(UserManager):
        def get_queryset(self):
            return adds(super().get_queryset().exclude(is_staff=True))

    manager = Manager()
    manager.model, manager.name = User, "objects"
    monkeypatch.setitem(vars(User._meta), "default_manager", manager)
    monkeypatch.setattr(validation, "rules", lambda model: [manager])
    alice.groups.add(Group.objects.create(name="readers"), Group.objects.create(name="writers"))
    assert shortcuts.start_session(Client(), alice).session.user_id == alice.pk
    User._base_manager.update(is_staff=True)
    with pytest.raises(AccountNotActive):
        shortcuts.start_session(Client(), alice)
