"""The user: one address, one account, in whichever case it is written."""

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError

from accounts.models import User
from tests.client import PASSWORD


@pytest.mark.usefixtures("db")
def test_an_address_is_stored_in_lower_case():
    assert User.objects.create_user("Alice@Example.ORG", PASSWORD).email == "alice@example.org"
    form_made = User(email="Bob@Example.ORG")
    form_made.clean()
    assert str(form_made) == "bob@example.org"


def test_the_database_takes_an_address_in_no_other_case(alice):
    with pytest.raises(IntegrityError):
        User(email="Mallory@example.org", password="x").save()


def test_the_database_takes_an_address_once(alice):
    with pytest.raises(IntegrityError):
        User(email=alice.email, password="x").save()


@pytest.mark.parametrize("spelling", ["alice@example.org", "ALICE@EXAMPLE.ORG"])
def test_a_user_is_found_in_any_case(alice, spelling):
    assert User.objects.get_by_natural_key(spelling) == alice
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


def test_a_user_is_found_and_checked_in_async_code_too(alice):
    async def ask():
        found = await User.objects.aget_by_natural_key("ALICE@example.org")
        right, wrong = await found.acheck_password(PASSWORD), await found.acheck_password("wrong")
        return found, right, wrong

    assert async_to_sync(ask)() == (alice, True, False)


@pytest.mark.usefixtures("db")
def test_a_superuser_may_do_everything():
    root = User.objects.create_superuser("Root@example.org", PASSWORD)
    assert (root.email, root.is_staff, root.is_superuser) == ("root@example.org", True, True)
    assert root.has_perm("devices.revoke_devicesession")


def test_without_a_password_nothing_matches(make_user):
    user = User.objects.create_user("nobody@example.org")
    assert not user.has_usable_password()
    assert not user.check_password(None)
    assert not user.check_password("")
