"""One statement brings session and user, whatever the user model."""

import pickle
import time
import uuid

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection, models

from accounts.models import User
from devices.core.liveness.cache import MAX_AGE, ReadMark, SessionCache, Template
from devices.core.sessions import validation
from devices.core.sessions.validation import Lookup
from devices.models import DeviceSession


class Shouted(models.CharField):
    """A column of another spelling than its values."""

    def from_db_value(self, value, expression, connection):
        return value.lower()

    def get_prep_value(self, value):
        return value.upper()


class ByUUID(AbstractBaseUser):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    is_active = models.BooleanField(default=True)
    born = models.DateTimeField(null=True)

    class Meta:
        app_label = "strangers"


class ByName(AbstractBaseUser):
    """No column `is_active`, and a key that is converted."""

    id = Shouted(primary_key=True, max_length=20)

    class Meta:
        app_label = "strangers"


class Person(AbstractBaseUser):
    email = models.EmailField()
    is_active = models.BooleanField(default=True)

    class Meta:
        app_label = "strangers"


class Employee(Person):
    """A user in two tables."""

    number = models.IntegerField()

    class Meta:
        app_label = "strangers"


def session_of(user_model):
    class Meta:
        app_label = "strangers"

    fields = {
        "__module__": __name__,
        "Meta": Meta,
        "id": models.UUIDField(primary_key=True, default=uuid.uuid4),
        "label": models.CharField(max_length=20),
        "user": models.ForeignKey(user_model, on_delete=models.CASCADE, related_name="+"),
    }
    return type(f"SessionOf{user_model.__name__}", (models.Model,), fields)


MODELS = {model: session_of(model) for model in (ByUUID, ByName, Employee)}
TABLES = [ByUUID, ByName, Person, Employee, *MODELS.values()]


@pytest.fixture
def tables(transactional_db):
    with connection.schema_editor() as editor:
        for model in TABLES:
            editor.create_model(model)
    yield
    with connection.schema_editor() as editor:
        for model in reversed(TABLES):
            editor.delete_model(model)


@pytest.fixture
def found(alice, sign_in):
    phone = sign_in(alice)
    return validation.find(phone.session_id, str(alice.pk))


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (ByUUID, {"password": "x", "is_active": False}),
        (ByName, {"id": "alice", "password": "x"}),
        (Employee, {"password": "x", "email": "a@example.org", "number": 7}),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_any_user_model_is_found_as_the_orm_finds_it(
    tables, model, values, django_assert_num_queries
):
    user = model.objects.create(**values)
    session = MODELS[model].objects.create(user=user, label="phone")
    other = model.objects.create(**values | ({"id": "bob"} if model is ByName else {}))
    statement = Lookup(MODELS[model])
    statement.find(session.pk, str(user.pk))  # PostgreSQL plans it
    with django_assert_num_queries(1):
        found = statement.find(session.pk, str(user.pk))
        account = found.user
        assert account == user and type(account) is model
        assert (found.pk, found.label, found.user_id) == (session.pk, "phone", user.pk)
    expected = model.objects.get(pk=user.pk)
    for field in model._meta.concrete_fields:
        assert getattr(account, field.attname) == getattr(expected, field.attname)
        assert type(getattr(account, field.attname)) is type(getattr(expected, field.attname))
    assert MODELS[model].objects.filter(user=account).get() == found
    assert statement.find(session.pk, str(other.pk)) is None
    assert statement.find(uuid.uuid4(), str(user.pk)) is None


def test_the_user_behaves_as_the_user(found, alice, mallory, django_assert_num_queries):
    user = found.user
    with django_assert_num_queries(0):
        assert type(user) is User
        assert user == alice and alice == user and user != mallory
        assert hash(user) == hash(alice) and user in {alice}
        assert str(user) == str(alice)
    copy = pickle.loads(pickle.dumps(found.user))
    assert type(copy) is User and copy == alice
    assert DeviceSession.objects.filter(user=user).count() == 1
    assert DeviceSession.objects.filter(user__in=[user]).count() == 1
    assert DeviceSession(user=user).user_id == alice.pk
    assert not user.is_staff and not user.has_perm("devices.view_devicesession")
    alice.user_permissions.add(Permission.objects.get(codename="view_devicesession"))
    assert validation.find(found.pk, alice.pk).user.has_perm("devices.view_devicesession")


def test_a_session_is_pickled_with_its_user(found, alice):
    copy = pickle.loads(pickle.dumps(found))
    assert type(copy) is DeviceSession and copy == found and copy.user == alice
    assert copy.user.email == alice.email


def test_what_is_changed_on_the_user_is_what_is_seen(found, alice):
    user = found.user
    assert user.is_active
    user.is_active = False
    user.set_password("another horse")
    assert not user.is_active and user.check_password("another horse")
    user.pk = None
    assert user.id is None
    alice.refresh_from_db()
    assert alice.is_active


def test_what_is_seldom_asked_is_not_read_and_can_still_be_asked(found, django_assert_num_queries):
    assert {DeviceSession._meta.get_field(name).attname for name in validation.SELDOM} == (
        found.get_deferred_fields()
    )
    with django_assert_num_queries(1):
        assert found.risk_level == "none"
    with django_assert_num_queries(1):
        assert Template(found).copy().device_key


def test_twins_share_nothing_that_a_request_can_change(found, alice):
    template = Template(found)
    one, other = template.copy(), template.copy()
    one.name, one.user.email = "phone", "changed@example.org"
    assert (other.name, other.user.email) == ("", alice.email)
    assert type(one) is DeviceSession and one == other == found
    assert not one._state.adding


def test_what_is_too_old_is_not_kept(found):
    cache, template = SessionCache(), Template(found)
    for number in range(10):
        read = ReadMark(0, time.monotonic() - MAX_AGE - 1)
        cache.put(f"old {number}", template, found.user_id, read, time.time() + 300)
    for number in range(10):
        cache.put(number, template, found.user_id, cache.read_mark(), time.time() + 300)
    assert len(cache) == 10


@pytest.mark.parametrize("user_id", ["", "x", "9" * 5000, "1.5"])
def test_what_cannot_be_an_id_is_told_apart_from_nobody(found, user_id):
    with pytest.raises((ValidationError, ValueError, OverflowError)):
        validation.find(found.pk, user_id)


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: it prepares")
class TestPrepared:
    @pytest.fixture
    def session(self, transactional_db, alice, sign_in):
        # One that a test before changed the columns of, or took away, is prepared no more.
        validation._lookup.cache_clear()
        return DeviceSession.objects.get(pk=sign_in(alice).session_id)

    @pytest.fixture
    def seen(self):
        """What goes through a cursor. Who watches the cursors has all go through them."""
        seen = []

        def note(execute, sql, params, many, context):
            seen.append(" ".join(sql.split()[:2]))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            yield seen

    def test_it_is_planned_once_per_connection(self, session, seen):
        connection.close()
        for _ in range(3):
            assert validation.find(session.pk, session.user_id) == session
        assert [each.split("_")[0] for each in seen] == [
            # Many connections run it once only.
            'SELECT "devices',
            "PREPARE devices",
            "EXECUTE devices",
            "EXECUTE devices",
        ]
        # By which the drills that count statements about sessions know it (tests/platforms, benchmarks).
        assert seen[2].startswith("EXECUTE devices_devicesession_")

    def test_another_release_on_the_same_backend_has_a_name_of_its_own(self, session, seen):
        # A pooler hands out the backend on which the release before prepared its own.
        for lookup in (Lookup(DeviceSession, ["city"]), Lookup(DeviceSession)):
            for _ in range(2):
                assert lookup.find(session.pk, session.user_id) == session
        assert [each.split()[0] for each in seen] == ["SELECT", "PREPARE", "EXECUTE"] * 2

    def test_who_counts_queries_finds_one_each_time(self, session, django_assert_num_queries):
        connection.close()
        for _ in range(2):
            with django_assert_num_queries(1):
                validation.find(session.pk, session.user_id)

    @pytest.mark.parametrize("is_watched", [False, True])
    def test_a_number_beyond_the_column_is_nobody(self, session, is_watched, request):
        if is_watched:
            request.getfixturevalue("seen")
        for _ in range(3):
            assert validation.find(session.pk, "9" * 30) is None
            assert validation.find(session.pk, session.user_id) == session

    @pytest.mark.parametrize("is_watched", [False, True])
    def test_a_pooler_that_hands_out_another_backend_costs_the_plan_only(
        self, session, is_watched, request
    ):
        if is_watched:
            request.getfixturevalue("seen")
        statement = Lookup(DeviceSession)
        for _ in range(3):
            for _ in range(3):
                assert statement.find(session.pk, session.user_id) == session
            with connection.cursor() as cursor:
                cursor.execute("DEALLOCATE ALL")


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["user_id", "device_key"])
def test_a_session_that_was_given_to_another_user_is_found_again(alice, make_user, sign_in, column):
    """As a project does that merges accounts."""
    sign_in(alice)
    held = DeviceSession.objects.defer("device_key").get()
    DeviceSession.objects.update(user=make_user("other@example.org"))
    held.refresh_from_db(fields=[column])
    assert column in held.__dict__
