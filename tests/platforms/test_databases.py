"""Several databases: ours under another alias than `default`, and a replica that is behind."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

from devices.models import PrimaryQuerySet

from .project import Project

EVERYTHING = """
    alice = User.objects.db_manager({db!r}).create_user("alice", "alice@example.org", PASSWORD)
    here, phone, tablet = sign_in(), sign_in(), sign_in()
    one, other = phone["session_id"], tablet["session_id"]
    token = here["access"]

    def expect(status, *request, **more):
        answer = ask(*request, **more)
        assert answer.status_code == status, (request, answer.status_code, answer.content)
        return answer

    assert len(expect(200, "GET", "/api/sessions", token).json()) == 3
    expect(200, "GET", f"/api/sessions/{{one}}", token)
    expect(200, "PATCH", f"/api/sessions/{{one}}", token, {{"name": "Phone"}})
    expect(200, "GET", f"/api/sessions/{{one}}/activity", token)
    expect(200, "GET", "/api/sessions/history", token)
    expect(200, "GET", "/api/sessions/history?format=csv", token).getvalue()
    expect(200, "GET", "/api/me/notifications", token)
    expect(200, "PATCH", "/api/me/notifications", token, {{"new_device": False}})
    expect(200, "POST", "/api/sessions/current/confirm", token, {{"password": PASSWORD}})
    expect(204, "DELETE", f"/api/sessions/{{one}}", token)
    expect(401, "GET", "/api/sessions", phone["access"])
    expect(200, "POST", "/api/token/refresh", data={{"refresh": here["refresh"]}})
    expect(200, "POST", "/api/token/verify", data={{"token": token}})
    assert expect(200, "POST", "/api/sessions/revoke-all", token).json() == {{"revoked": 1}}
    expect(200, "POST", "/api/token/blacklist", data={{"refresh": here["refresh"]}})
    expect(401, "GET", "/api/sessions", token)

    sign_in(), sign_in()
    browser = Client()
    browser.force_login(alice, "devices.backends.LimitedModelBackend")
    assert browser.get("/devices/").status_code == 200

    from io import StringIO
    def command(*given, **options):
        out = StringIO()
        call_command(*given, stdout=out, **options)
        return out.getvalue()
    told = command("revoke_sessions", user="alice", country="unknown", dry_run=True, reason="x")
    assert "3 sessions" in told, told
    told = command("revoke_sessions", all=True, reason="Leak", yes=True)
    assert told == "Revoked: 3 sessions of 1 person.\\n", told
    command("cleanup_sessions")
    command("count_sessions")
    command("devices_worker", once=True)

    # A change of the password, an account that is deactivated, and one that goes.
    token = sign_in()["access"]
    alice.set_password("another horse battery 9")
    alice.save()
    expect(401, "GET", "/api/sessions", token)
    alice.set_password(PASSWORD)
    alice.save()
    token = sign_in()["access"]
    alice.is_active = False
    alice.save()
    expect(401, "GET", "/api/sessions", token)
    from devices.core import erasure
    erasure.erase(alice)
    from devices.models import DeviceSession
    assert not DeviceSession.objects.exists()
"""


def test_everything_works_under_an_alias_of_its_own(make_project):
    project = make_project("default", "people")
    project.write(
        "routers.py",
        """
        class Everything:
            def db_for_read(self, model, **hints):
                return "people"

            db_for_write = db_for_read

            def allow_migrate(self, db, app_label, **hints):
                return db == "people"
        """,
    )
    project.configure('\nDATABASE_ROUTERS = ["routers.Everything"]\n')
    project.play(
        'call_command("migrate", database="people", verbosity=0)\n'
        + '_ = call_command("check", fail_level="ERROR", verbosity=0)\n'
        + EVERYTHING.format(db="people").replace("\n    ", "\n")
    )


ROLES = Path("docs/operations.md").read_text().partition("### Roles")[2]
GRANTS = "\n".join(re.findall(r"^    (.*;)$", ROLES.partition("\n##")[0], re.MULTILINE))

A_ROLE_OF_THE_SITE = """
    from django.core import checks

    call_command("migrate", verbosity=0)

    def run(sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)

    def use(role):
        connection.settings_dict["OPTIONS"]["assume_role"] = role
        connection.close()

    def told():
        use("devices_test_site")
        messages = checks.run_checks(databases=["default"])
        use(None)
        return "".join(each.msg for each in messages if each.id in ("devices.E154", "devices.E155"))

    owner = connection.settings_dict["USER"]
    run("CREATE ROLE devices_test_site")
    try:
"""
AND_GONE = """
    finally:
        use(None)
        run("DROP OWNED BY devices_test_site")
        run("DROP ROLE devices_test_site")
"""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO ROLES: needs PostgreSQL")
def test_a_role_that_owns_no_table_runs_the_site(make_project):
    """With the rights that the documents grant it."""
    project = make_project()
    grants = GRANTS.replace("site", "devices_test_site").replace("owner", "{owner}")
    assert grants.count(";") == 3
    project.play(
        A_ROLE_OF_THE_SITE
        + f"""
        run(f'''{grants}''')
        run("ALTER TABLE devices_devicesession ENABLE ROW LEVEL SECURITY")
        assert told() == ""
        use("devices_test_site")
"""
        + "".join(f"    {line}\n" for line in EVERYTHING.format(db="default").splitlines())
        + AND_GONE
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO ROLES: needs PostgreSQL")
@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        ("ALL", "SELECT and INSERT and UPDATE and DELETE on "),
        ("DELETE", "DELETE on "),
    ],
)
def test_a_role_that_may_not_write_sessions_is_refused(make_project, lacks, told):
    project = make_project()
    project.play(
        A_ROLE_OF_THE_SITE
        + f"""
        run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO devices_test_site")
        run("REVOKE {lacks} ON devices_devicesession FROM devices_test_site")
        assert '{told}"devices_devicesession".' in told()
        run("GRANT ALL ON devices_devicesession TO devices_test_site")
        run("REVOKE UPDATE ON auth_user FROM devices_test_site")
        assert 'the right to UPDATE on "auth_user".' in told()
        # To lock a row, one column is enough.
        run("GRANT UPDATE (last_login) ON auth_user TO devices_test_site")
        assert told() == ""
"""
        + AND_GONE
    )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="NO ROLES: needs PostgreSQL")
def test_a_role_from_which_policies_hide_all_rows_is_told(make_project):
    """As where row-level security is switched on for each table of a schema."""
    project = make_project()
    project.play(
        A_ROLE_OF_THE_SITE
        + """
        run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO devices_test_site")
        run("ALTER TABLE devices_devicesession ENABLE ROW LEVEL SECURITY")
        run("CREATE POLICY of_another ON devices_devicesession TO CURRENT_USER USING (true)")
        run("CREATE POLICY narrows ON devices_devicesession AS RESTRICTIVE USING (true)")
        assert 'in "devices_devicesession".' in told()
        # Who owns the tables sees all.
        assert not [each for each in checks.run_checks(databases=["default"]) if each.id == "devices.E155"]
        run("CREATE POLICY of_the_site ON devices_devicesession TO devices_test_site USING (true)")
        assert told() == ""
        run("ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY")
        assert 'in "auth_user".' in told()
        run("CREATE POLICY of_all ON auth_user USING (true)")
        assert told() == ""
"""
        + AND_GONE
    )


def test_logins_at_once_wait_for_each_other_by_the_settings_of_startproject(tmp_path, wheel_site):
    given = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    Project(tmp_path, wheel_site, {"default": given}).play("""
    import sqlite3
    from concurrent.futures import ThreadPoolExecutor
    from django.db import transaction
    from devices.core import database

    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", password=PASSWORD)

    def may_write():
        other = sqlite3.connect(settings.DATABASES["default"]["NAME"], timeout=0)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            assert str(error) == "database is locked"
            return False
        finally:
            other.close()
        return True

    with database.atomic():
        assert not may_write()
    assert may_write()
    # The host's own transactions begin as the host has them.
    with transaction.atomic():
        assert may_write()

    def login(_):
        try:
            return sign_in()["session_id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(login, range(24)))) == 24
    """)


REPLICA = """
class Replica:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label in {labels!r} else None

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, *args, **hints):
        return True
"""


def test_what_is_ours_is_never_read_from_a_replica(make_project):
    # One that knows nothing yet: reading there fails.
    project = make_project("default", "replica")
    project.write("routers.py", REPLICA.format(labels=["devices"]))
    project.configure('\nDATABASE_ROUTERS = ["routers.Replica"]\n')
    project.play(
        'call_command("migrate", verbosity=0)\n'
        + EVERYTHING.format(db="default").replace("\n    ", "\n")
    )


def test_what_a_replica_does_not_know_of_a_user_yet(make_project):
    project = make_project("default", "replica")
    project.write("routers.py", REPLICA.format(labels=["auth"]))
    project.configure('\nDATABASE_ROUTERS = ["routers.Replica"]\n')
    project.play("""
    from devices.core.staff import accounts, bulk_revocation
    from devices.models import Notification

    for alias in ("default", "replica"):
        call_command("migrate", database=alias, verbosity=0)
        for name in ("clerk", "bob"):
            User.objects.db_manager(alias).create_user(name, f"{name}@example.org", PASSWORD)
    clerk, bob = (User.objects.using("default").get(username=name) for name in ("clerk", "bob"))
    assert bulk_revocation.reaches(clerk, bob.pk)

    # Nobody reaches above themselves.
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    assert not User.objects.get(pk=bob.pk).is_superuser
    assert not bulk_revocation.reaches(clerk, bob.pk)

    # A change is told to the address that the account has, and not to one before it.
    bob.email = "new@example.org"
    bob.save()
    Notification.objects.all().delete()
    bob.email = "stranger@example.org"
    bob.save()
    told = set(Notification.objects.values_list("address", flat=True))
    assert told == {"new@example.org", "stranger@example.org"}, told

    # Staff have no rights that were taken from them.
    from django.test import override_settings
    from devices.core import sessions, tokens
    from devices.core.clients.client import Client as Caller
    token = tokens.issue(sessions.start(bob, Caller())).access
    for alias in ("default", "replica"):
        User.objects.using(alias).filter(pk=bob.pk).update(is_superuser=True)
    with override_settings(DEVICES={**settings.DEVICES, "LIVENESS": "cached"}):
        assert ask("GET", "/api/admin/sessions", token).status_code == 200
        User.objects.filter(pk=bob.pk).update(is_superuser=False)
        answer = ask("GET", "/api/admin/sessions", token)
    assert answer.status_code == 403, (answer.status_code, answer.content)

    # Groups get permissions that a migrate has just made.
    from django.contrib.auth.models import Permission
    Permission.objects.using("replica").all().delete()
    call_command("session_groups")
    """)


def test_accounts_are_written_by_another_alias_of_the_same_database(make_project):
    """By a role with other rights, as projects with row-level security have one, or past a pooler."""
    project = make_project("default", "archive")
    project.configure("""
DATABASES["admin"] = {**DATABASES["default"]}
if DATABASES["admin"]["ENGINE"].endswith("postgresql"):
    # Who would wait for ever is told.
    DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=2s"}
    DATABASES["admin"]["OPTIONS"] = {"options": "-c lock_timeout=2s"}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]
""")
    project.play("""
    from django.contrib.auth.hashers import make_password
    from django.db import transaction
    from devices.core import erasure, sessions, throttling
    from devices.models import DeviceSession, LoginThrottle, Notification
    from devices.signals import session_revoked

    call_command("migrate", verbosity=0)
    call_command("migrate", database="archive", verbosity=0)
    told = []

    def hear(session, reason, **kwargs):
        told.append(reason)

    session_revoked.connect(hear)

    def create(name="alice"):
        User.objects.create_user(name, "alice@example.org", PASSWORD)
        return User.objects.using("admin").get(username=name)

    alice = create()
    token = sign_in()["access"]

    # A change that is taken back ends nothing.
    try:
        with transaction.atomic(using="admin"):
            alice.set_password("another horse battery 9")
            alice.save(using="admin")
            raise KeyError
    except KeyError:
        assert ask("GET", "/api/sessions", token).status_code == 200
    alice.refresh_from_db()

    with transaction.atomic(using="admin"):
        alice = User.objects.using("admin").select_for_update().get(username="alice")
        alice.set_password("another horse battery 9")
        alice.email = "new@example.org"
        alice.save()
    assert ask("GET", "/api/sessions", token).status_code == 401
    assert told == ["password_changed"], told
    kinds = sorted(Notification.objects.values_list("kind", flat=True))
    assert kinds == ["address_changed"] * 2 + ["password_changed"], kinds

    # What we write ourselves goes by our own alias, whichever has read the account.
    User.objects.update(password=make_password(PASSWORD, hasher="md5"))
    alice = User.objects.using("admin").get(username="alice")
    assert sessions.check_password(alice, PASSWORD)
    assert User.objects.get(username="alice").password.startswith("pbkdf2")
    alice = User.objects.using("admin").get(username="alice")
    kept = DeviceSession.objects.get(pk=sign_in()["session_id"])
    sessions.change_password(alice, PASSWORD + "!", keep=kept)
    erasure.erase(User.objects.using("admin").get(username="alice"))

    # One that stays after all, and one that goes.
    bob = create("bob")
    token = sign_in("bob")["access"]
    assert ask("POST", "/api/token", data={"username": "bob", "password": "x"}).status_code == 401
    assert LoginThrottle.objects.filter(pk=throttling.account_key("bob")).exists()
    told.clear()
    try:
        with transaction.atomic(using="admin"):
            bob.delete()
            raise KeyError
    except KeyError:
        assert ask("GET", "/api/sessions", token).status_code == 200
    bob = User.objects.using("admin").get(username="bob")
    bob.delete()
    assert told == ["deactivated"], told
    assert ask("GET", "/api/sessions", token).status_code == 401
    assert not LoginThrottle.objects.filter(pk=throttling.account_key("bob")).exists()

    # Its sessions are written in a transaction of ours, as where a view notes that one is in use.
    dave = create("dave")
    session = DeviceSession.objects.get(pk=sign_in("dave")["session_id"])
    with transaction.atomic():
        DeviceSession.objects.filter(pk=session.pk).update(name="phone")
        try:
            if connection.vendor == "postgresql":
                dave.delete()
        except transaction.TransactionManagementError as error:
            assert "'default'" in str(error) and "'admin'" in str(error), error
        else:
            assert connection.vendor == "sqlite"
    dave.delete()

    # A copy in another database is another account.
    carol = create("carol")
    token = sign_in("carol")["access"]
    carol.save(using="archive", force_insert=True)
    Notification.objects.all().delete()
    copy = User.objects.using("archive").get(username="carol")
    copy.set_password("another horse battery 9")
    copy.save()
    told.clear()
    copy.delete()
    assert told == [] and not Notification.objects.exists()
    assert ask("GET", "/api/sessions", token).status_code == 200
    """)


def test_users_elsewhere_than_their_sessions_are_refused(make_project):
    project = make_project("default", "people")
    project.write(
        "routers.py",
        """
        class Auth:
            def db_for_read(self, model, **hints):
                return "people" if model._meta.app_label == "auth" else None

            db_for_write = db_for_read
        """,
    )
    project.configure('\nDATABASE_ROUTERS = ["routers.Auth"]\n')
    printed = project.play('call_command("check")', fails=True)
    assert "devices.E074" in printed


def test_each_table_of_ours_is_read_where_it_is_written():
    for model in apps.get_app_config("devices").get_models():
        for manager in (model._default_manager, model._base_manager):
            assert isinstance(manager.all(), PrimaryQuerySet), model
