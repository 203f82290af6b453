"""What the database does itself comes and goes with our tables, and is in nobody's way."""

import pytest
from django.db import connection

SCENE = """
    call_command("migrate", verbosity=0)
    alice = User.objects.create_user("alice", password=PASSWORD)
    call_command("migrate", verbosity=0)

    def stays_out():
        token = sign_in()["access"]
        User.objects.update(is_active=False)
        User.objects.update(is_active=True)
        return ask("GET", "/api/sessions", token).status_code == 401

    assert stays_out()
"""


@pytest.fixture
def project(make_project):
    return make_project()


def test_the_app_can_be_taken_out_again(project):
    project.play(
        SCENE
        + """
    call_command("migrate", "devices", "zero", verbosity=0)
    assert "devices_devicesession" not in connection.introspection.table_names()
    User.objects.update(is_active=False)
    User.objects.update(is_active=True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'devices%'")
            assert cursor.fetchone() == (0,)
    call_command("migrate", verbosity=0)
    assert stays_out()
    """
    )


def test_the_table_of_sessions_can_be_changed_by_a_migration(project):
    project.write("later/__init__.py", "")
    project.write("later/migrations/__init__.py", "")
    project.write(
        "later/migrations/0001_initial.py",
        """
        from django.db import migrations, models

        class Alter(migrations.AlterField):
            def state_forwards(self, app_label, state):
                super().state_forwards("devices", state)
            def database_forwards(self, app_label, *rest):
                super().database_forwards("devices", *rest)

        class Migration(migrations.Migration):
            dependencies = [("devices", "0001_initial")]
            operations = [Alter("devicesession", "name", models.CharField(max_length=99, blank=True))]
        """,
    )
    project.play(
        SCENE
        + """
    settings.INSTALLED_APPS.append("later")
    from django.apps import apps
    apps.set_installed_apps(settings.INSTALLED_APPS)
    call_command("migrate", verbosity=0)
    assert stays_out()
    """
    )


def test_the_host_can_change_its_own_users(project):
    project.play(
        SCENE
        + """
    from django.db import models
    text = models.TextField()
    text.set_attributes_from_name("password")
    text.model = User
    with connection.schema_editor() as editor:
        if connection.vendor == "sqlite":
            # As it does for most changes of a field. The triggers go with the old table.
            editor._remake_table(User)
        else:
            editor.alter_field(User, User._meta.get_field("password"), text)
    call_command("migrate", verbosity=0)
    assert stays_out()
    """
    )


PEOPLE = """
    from django.contrib.auth.models import AbstractBaseUser, UserManager
    from django.db import models

    class Person(AbstractBaseUser):
        username = models.CharField(max_length=30, unique=True)
        email = models.EmailField()
        {password}
        is_active = {field}
        is_staff = is_superuser = False
        USERNAME_FIELD = "username"
        objects = UserManager()

        def has_perm(self, *args):
            return False
"""
MIGRATED = """
    call_command("makemigrations", "people", verbosity=0)
    call_command("migrate", verbosity=0)
    people = User.objects
    if not people.exists():
        alice = User(username="alice")
        if alice.password is not None:
            alice.set_password(PASSWORD)
        alice.save()
"""


def people(project, field, password=""):
    for name in ("__init__.py", "migrations/__init__.py"):
        project.write(f"people/{name}", "")
    project.write("people/models.py", PEOPLE.format(field=field, password=password))


@pytest.mark.parametrize(
    ("field", "off", "on"),
    [
        ("models.SmallIntegerField(default=1)", 0, 1),
        ("models.IntegerField(default=1, null=True)", None, 2),
        ("models.BooleanField(default=True, null=True)", None, True),
    ],
)
def test_whether_an_account_is_active_may_be_a_number_or_nothing(project, field, off, on):
    project.configure('INSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"')
    people(project, field)
    project.play(
        MIGRATED
        + f"""
    token = sign_in()["access"]
    people.update(is_active={off})
    people.update(is_active={on})
    assert ask("GET", "/api/sessions", token).status_code == 401
    token = sign_in()["access"]
    people.update(email="alice@example.org", is_active={on})
    assert ask("GET", "/api/sessions", token).status_code == 200
    """
    )


@pytest.mark.parametrize(
    "password", ["password = None", "password = models.CharField(max_length=128, null=True)"]
)
def test_people_may_have_no_password(project, password):
    """As where they sign in by a code: their sessions begin, end and are confirmed by other means."""
    project.configure('INSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"')
    people(project, "models.BooleanField(default=True)", password)
    project.play(
        MIGRATED
        + """
    from devices.shortcuts import Client as Phone, list_sessions, refresh_session, start_session
    tokens = start_session(Phone(), alice, method="code")
    tokens = refresh_session(Phone(), tokens.refresh)
    for answer in (
        ask("POST", "/api/sessions/current/confirm", tokens.access, {}),
        ask("POST", "/api/sessions/current/confirm", tokens.access, {"password": "a guess"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "password_not_set"), answer.content
    browser = Client()
    browser.force_login(alice)
    assert b'name="password"' not in browser.get("/devices/confirm/").content
    assert len(list_sessions(alice)) == 2
    people.update(is_active=False)
    people.update(is_active=True)
    assert ask("GET", "/api/sessions", tokens.access).status_code == 401
    tokens = start_session(Phone(), alice, method="code")
    alice.refresh_from_db()
    alice.save()
    assert ask("GET", "/api/sessions", tokens.access).status_code == 200
    """
    )


@pytest.mark.parametrize("later", ['models.CharField(max_length=1, default="y")', "True"])
def test_a_column_that_says_it_no_longer_is_in_nobodys_way(project, later):
    """A text counts as in Python, which SQL does not do; without a column everybody is active."""
    project.configure('INSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"')
    people(project, "models.BooleanField(default=True)")
    project.play(MIGRATED)
    people(project, later)
    project.play(
        MIGRATED
        + """
    token = sign_in()["access"]
    people.update(email="alice@example.org")
    assert ask("GET", "/api/sessions", token).status_code == 200
    """
    )


def test_what_was_changed_by_hand_is_made_anew(project):
    script = {
        "sqlite": "DROP TRIGGER devices_account_changed",
        "postgresql": "DROP FUNCTION devices_account_changed CASCADE",
        "mysql": "DROP TRIGGER devices_account_changed",
    }[connection.vendor]
    project.play(
        SCENE
        + f"""
    with connection.cursor() as cursor:
        cursor.execute({script!r})
    call_command("migrate", verbosity=0)
    assert stays_out()
    """
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO SWITCH: SQLite disables none")
def test_what_a_restore_has_left_disabled_is_enabled(project):
    project.play(
        SCENE
        + """
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE auth_user DISABLE TRIGGER USER")
    assert not stays_out()
    call_command("migrate", verbosity=0)
    assert stays_out()
    """
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO SCHEMAS: needs PostgreSQL")
def test_users_whose_table_has_its_schema_in_its_name_sign_in_and_stay_out(project):
    project.write("people/__init__.py", "")
    project.write("people/migrations/__init__.py", "")
    project.write(
        "people/models.py",
        """
        from django.contrib.auth.models import AbstractUser

        class Person(AbstractUser):
            class Meta:
                db_table = 'crm"."people'
        """,
    )
    project.configure('INSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"')
    project.play(
        """
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA crm")
    call_command("makemigrations", "people", verbosity=0)
    """
        + SCENE
    )


@pytest.mark.skipif(connection.vendor == "sqlite", reason="NO LOCKS: SQLite has one writer")
def test_a_migrate_without_changes_waits_for_no_reader_of_the_users(project):
    project.play(
        SCENE
        + """
    from threading import Thread
    from time import monotonic
    from django.db import transaction
    took = []

    def migrate():
        begun = monotonic()
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET lock_timeout = '2s'")
            else:
                cursor.execute("SET lock_wait_timeout = 2")
        call_command("migrate", verbosity=0)
        took.append(monotonic() - begun)
        connections.close_all()

    with transaction.atomic():
        assert User.objects.count() == 1
        thread = Thread(target=migrate)
        thread.start()
        thread.join()
    assert took and took[0] < 2, took
    """
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO SCHEMAS: needs PostgreSQL")
def test_tables_may_be_in_a_schema_that_another_program_does_not_search(project):
    """By SQL of somebody whose search path does not name it: the functions name their tables in full."""
    project.configure(
        """
        DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=app"}
        """
    )
    project.play(
        """
    import psycopg
    given = settings.DATABASES["default"]
    address = dict(host=given["HOST"], port=given["PORT"], user=given["USER"], dbname=given["NAME"])
    other = psycopg.connect(**address, password=given["PASSWORD"], autocommit=True)
    other.execute("CREATE SCHEMA app")
    call_command("migrate", verbosity=0)
    assert other.execute("SELECT to_regclass('app.devices_devicesession') IS NOT NULL").fetchone()[0]
    assert other.execute("SELECT to_regclass('devices_devicesession') IS NULL").fetchone()[0]
    alice = User.objects.create_user("alice", password=PASSWORD)
    token = sign_in()["access"]
    assert ask("GET", "/api/sessions", token).status_code == 200
    other.execute("UPDATE app.auth_user SET is_active = false")
    other.execute("UPDATE app.auth_user SET is_active = true")
    assert ask("GET", "/api/sessions", token).status_code == 401
    other.execute("DELETE FROM app.devices_devicesession")
    """
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO ROLES: needs PostgreSQL")
def test_another_program_needs_no_right_to_our_tables(project):
    """As one that keeps the accounts in step with those of another system. It knows nothing of sessions."""
    project.configure('DEVICES["FEED"] = True; DEVICES["SIGNING_KEYS"] = "database"')
    project.play(
        SCENE
        + """
    token = sign_in()["access"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE devices_test_other")
        try:
            cursor.execute("GRANT SELECT, UPDATE (is_active, password) ON auth_user TO devices_test_other")
            cursor.execute("SET ROLE devices_test_other")
            cursor.execute("UPDATE auth_user SET is_active = false")
            cursor.execute("UPDATE auth_user SET is_active = true")
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY devices_test_other")
            cursor.execute("DROP ROLE devices_test_other")
    assert ask("GET", "/api/sessions", token).status_code == 401
    """
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO ROLES: needs PostgreSQL")
def test_another_program_runs_nothing_of_its_own_with_the_rights_of_ours(project):
    """By operators that its search path has before those of PostgreSQL."""
    project.play(
        SCENE
        + """
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA own")
        cursor.execute("CREATE TABLE own.called (by_whom text)")
        cursor.execute('''
            CREATE FUNCTION own.pg_notify(text, text) RETURNS void LANGUAGE sql
            AS $$ INSERT INTO own.called SELECT current_user $$;
            CREATE FUNCTION own.differs(varchar, varchar) RETURNS boolean LANGUAGE plpgsql
            AS $$ BEGIN INSERT INTO own.called SELECT current_user; RETURN true; END $$;
            CREATE OPERATOR own.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = own.differs);
        ''')
        cursor.execute("SET search_path = own, public, pg_catalog")
        cursor.execute("UPDATE public.auth_user SET is_active = false")
        cursor.execute("RESET search_path")
        cursor.execute("SELECT count(*) FROM own.called")
        assert cursor.fetchone() == (0,)
    """
    )
