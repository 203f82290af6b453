"""The search box: people by how their login begins, addresses, networks, ids."""

import pytest
from django.contrib.auth.models import User as DjangoUser
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import EmailField
from django.db.models.lookups import StartsWith

from devices.admin.search import names_of_people, search
from devices.models import DeviceSession
from tests.client import CHROME
from tests.plans import prefer_indexes

from .pages import LIST, listed


def found(term):
    return set(search(DeviceSession.objects.all(), term))


def test_a_person_is_found_by_the_whole_login_or_its_beginning(alice, make_user, start):
    hers = start(alice)
    alicia = start(make_user("alicia@example.org"))
    bob = start(make_user("bob@example.org"))
    assert found("alice@example.org") == {hers}
    assert found("ALICE@example.org") == {hers}
    assert found(" ali") == {hers, alicia}
    assert found("lice") == set()
    assert found("") == found("  ") == {hers, alicia, bob}


class Hashed(EmailField):
    """A login of which the column has a hash."""


@Hashed.register_lookup
class NoBeginning(StartsWith):
    def get_prep_lookup(self):
        raise FieldError("It does not support 'startswith' lookups")


def test_a_login_whose_column_has_its_hash_is_found_as_a_whole(
    alice, make_user, start, monkeypatch
):
    hers = start(alice)
    start(make_user("bob@example.org"))
    monkeypatch.setattr(type(alice)._meta.get_field("email"), "__class__", Hashed)
    assert found("alice@example.org") == {hers}
    assert found("ali") == set()


def test_no_sign_in_a_login_is_a_wildcard(make_user, start):
    plain, percent = start(make_user("a1b@example.org")), start(make_user("a%b@example.org"))
    assert found("a%b") == {percent}
    assert found("a_b") == set()
    assert found("a1b") == {plain}


def test_an_address_is_found_exactly_in_any_spelling(alice, start):
    v4, v6 = start(alice, CHROME, "203.0.113.7"), start(alice, CHROME, "2001:db8::7")
    start(alice, CHROME, "203.0.113.70")
    assert found("203.0.113.7") == found("::ffff:203.0.113.7") == {v4}
    assert found("2001:db8::7") == found("2001:0DB8:0:0::0007") == {v6}
    assert found("203.0.113") == set()


def test_a_network_is_found_with_all_its_addresses(alice, start):
    inside = {start(alice, CHROME, ip) for ip in ("10.1.16.0", "10.1.31.255", "10.1.20.9")}
    start(alice, CHROME, "10.1.15.255"), start(alice, CHROME, "10.1.32.0"), start(alice, ip=None)
    v6 = start(alice, CHROME, "2001:db8:0:ff::1")
    start(alice, CHROME, "2001:db8:1::1")
    assert found("10.1.16.0/20") == found("10.1.20.1/20") == inside
    assert found("2001:db8::/48") == {v6}
    assert len(found("0.0.0.0/0")) == 5
    assert len(found("::/0")) == 2


def test_a_session_is_found_by_its_id_in_any_spelling(alice, start):
    session = start(alice)
    start(alice)
    for spelling in (str(session.pk), session.pk.hex, str(session.pk).upper(), session.pk.urn):
        assert found(spelling) == {session}
    assert found("00000000-0000-4000-8000-000000000000") == set()


@pytest.mark.parametrize(
    "term",
    [
        "%", "_", "'", '"', '"a', "' OR 1=1--", "\\", "\\%", "😀", "\u202e", "<script>", "a" * 5000,
        "1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/", "//", "::/129", "fe80::1%eth0",
        "fe80::1%eth0/64", "1.2.3.4 5.6.7.8", "１.2.3.4", "999.1.1.1", "urn:uuid:", "{}", "a b c",
        "203.0.113.7/255.255.255.0/1", "a\u2028b", "ﷺ", "İ",
    ],
    ids=ascii,
)  # fmt: skip
def test_A26_a_hostile_term_finds_nothing_and_breaks_nothing(viewer, alice, start, term):
    start(alice)
    assert listed(viewer, q=term) == []
    assert listed(viewer, q=term, state="active", os="'") == []


def test_A26_a_term_with_a_null_character_is_refused_with_a_message(viewer, alice, start):
    start(alice)
    assert "Null characters are not allowed." in viewer.get(LIST, {"q": "a\x00"}).content.decode()


def test_searches_keep_the_filters(viewer, alice, start):
    session = start(alice)
    page = viewer.get(LIST, {"state": "active", "q": "alice"}).content.decode()
    assert '<input type="hidden" name="state" value="active">' in page
    assert listed(viewer, state="active", q="alice") == [session.pk]
    assert listed(viewer, state="revoked", q="alice") == []


def test_people_are_found_by_the_columns_with_an_index_whatever_the_user_model(monkeypatch):
    assert names_of_people() == ["email"]
    # Django's own user: a login that is unique, and an email that has no index.
    monkeypatch.setattr("devices.admin.search.get_user_model", lambda: DjangoUser)
    assert names_of_people() == ["username"]
    monkeypatch.setattr(DjangoUser._meta.get_field("email"), "db_index", True)
    assert names_of_people() == ["email", "username"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="looks at PostgreSQL's plans")
@pytest.mark.parametrize(
    ("term", "index"),
    [
        ("alice@example.org", "accounts_user_email"),
        ("192.0.2.77", "devices_address"),
        ("192.0.2.64/28", "devices_address"),
        ("00000000-0000-4000-8000-000000000000", "devices_devicesession_pkey"),
    ],
)
def test_every_search_is_served_by_an_index(alice, term, index):
    prefer_indexes()
    plan = search(DeviceSession.objects.select_related("user"), term).explain()
    assert index in plan
