"""One module for each kind of write, layers that import downwards, names that say something."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.source import parse

ROOT = Path(__file__).parent.parent
PACKAGES = ("devices", "accounts", "project")
OURS = re.compile(rf"({'|'.join(PACKAGES)})(\.|$)")

# What writes into a table, and through what it may do so, file by file. Whoever appears here anew
# should be asked why the verb for it is not in the owner of that table.
WRITES = {
    "save", "update", "create", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create",
    "asave", "aupdate", "acreate", "adelete", "abulk_create", "aget_or_create", "aupdate_or_create",
}  # fmt: skip
WRITERS = {
    **{
        f"devices/core/sessions/{part}.py": r"DeviceSession\b|unrevoked\(|unmoved$"
        r"|sessions\.filter|locked$|session$|user$|asked$"
        for part in (
            "login",
            "binding",
            "bound_cookies",
            "impersonation",
            "authentication",
            "refresh",
            "management",
            "revocation",
            "account",
        )
    },
    # What the trigger does elsewhere.
    "devices/core/liveness/db_triggers.py": r"ended\.exclude",
    "devices/core/retention/cleanup.py": r"rows\.filter|DeviceSession\b",
    "devices/core/retention/anonymization.py": r"rows\b",
    "devices/core/binding/replay.py": r"UsedProof\b",
    "devices/core/device_codes.py": r"DeviceCode\b|mine$|mine\.filter|here$|old\.filter|pending$",
    "devices/core/trusted_devices.py": r"TrustedDevice\b|mine$|old\.filter|of_user\(",
    "devices/core/log/activity.py": r"Activity\b",
    "devices/contrib/audit/sealing.py": r"ChainLink\b|link$",
    # The functions of the package, and no table.
    "devices/contrib/ssf/views.py": r"streams$",
    "devices/contrib/ssf/outbox.py": r"PendingEvent\b|_pending\(",
    "devices/contrib/ssf/pending.py": r"PendingEvent\b|past$",
    "devices/contrib/ssf/push.py": r"free\.exclude|mine$",
    "devices/contrib/ssf/streams.py": r"Stream\b|RemovedSubject\b|stream$|asked$",
    "devices/core/failover.py": r"DatabaseHistory\b|here\.filter",
    "devices/core/ended.py": r"RevocationEvent\b",
    "devices/core/keys/rotation.py": r"SigningKey\b|following$|signing$|row$|past\.exclude",
    "devices/core/log/counters.py": r"EventCounter\b|row$",
    "devices/core/log/failures.py": r"FailedLogin\b",
    # The user's, whose password it replaces.
    "devices/core/staff/accounts.py": r"row$",
    "devices/core/staff/statistics.py": r"StatsSnapshot\b|row$|claim$",
    "devices/management/commands/session_groups.py": r"Group\b",
    "devices/core/risk/login_history.py": r"LoginHistory\b|old\.filter",
    "devices/core/notifications/outbox.py": r"Notification(Preferences)?\b|notice$|_due\(|ours$",
    # Tables of Django's own.
    "devices/core/erasure.py": r"entries\.filter|stored\.filter|user$",
    "devices/core/throttling.py": r"LoginThrottle\b|row$|over\.filter",
    "devices/models.py": r"super\(\)$",
    "accounts/models.py": r"user$",
    # Django's own sessions.
    "devices/contrib/allauth.py": r"store$|request\.session$|remembered$|super\(\)$",
    "devices/web/session_store.py": r"self$",
    # django-oauth-toolkit's codes of devices.
    "devices/contrib/oauth_toolkit.py": r"grants?\b",
    "accounts/addresses.py": r"EmailAddress\b|mine\b|User\b",
    "accounts/adapters.py": r"user$",
    "accounts/receivers.py": r"EmailAddress\b|type\(added\)",
    "accounts/first_proof.py": r"(EmailAddress|SocialAccount|Authenticator)\b|user$",
    "accounts/recovery.py": r"(RecoveryPoint|EmailAddress|SocialAccount|Authenticator|User)\b"
    r"|since|_open|addresses",
    "accounts/second_factor.py": r"authenticator$",
}
# Dictionaries, progress bars, and serializers, which call the verbs.
NO_TABLE = r"(context|schema|bar|.*__dict__|vars\(\)|DATABASES\b.*|serializer)$"


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(what a method is called on, its name), as in the source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr


def test_each_table_is_written_by_its_owner_alone():
    written = set()
    for path, tree in sources():
        for target, method in calls(tree):
            if method in WRITES and not re.match(NO_TABLE, target):
                assert re.match(WRITERS.get(path, "(?!)"), target), f"{path}: {target}.{method}()"
                written.add(path)
    assert {"devices/core/sessions/revocation.py", "devices/core/log/activity.py"} < written


def test_sql_by_hand_is_in_few_places():
    by_hand = {
        path
        for path, tree in sources()
        for _, method in calls(tree)
        if method in {"execute", "executemany", "callproc", "raw", "extra"}
    }
    # What is used up once; where its tables are; how it commits; what has ended; what the database does
    # itself, tells others, may take, and runs without compiling it anew.
    core = {
        "binding/replay",
        "citus",
        "database",
        "ended",
        "liveness/db_triggers",
        "liveness/invalidation",
        "postgresql",
        "staff/timeouts",
        "statements",
    }
    # And what is asked of the database before the site is served.
    checks = {"devices/checks/database.py", "project/checks.py"}
    assert by_hand == {f"devices/core/{name}.py" for name in core} | checks


def test_transactions_are_begun_where_sessions_are_written():
    for path, tree in sources():
        # Called, or as a decorator.
        begins = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and (name := ast.unparse(node)) in {"transaction.atomic", "transaction.on_commit"}
        }
        assert not begins or path == "devices/core/database.py" or path.startswith("accounts/"), (
            path
        )


def test_what_a_request_says_of_its_sender_is_read_in_one_place():
    read = set()
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(
                (".META", "request.headers")
            ):
                read.add(path)
    assert read == {"devices/http.py", "devices/csrf.py"}


def test_mail_is_sent_from_one_place():
    senders = {path for path, tree in sources() if "django.core.mail" in ast.unparse(tree)}
    assert senders <= {"devices/core/notifications/emails.py"}


def test_signals_are_for_strangers_and_heard_in_one_place():
    for path, tree in sources():
        hears = any(method == "connect" and of != "psycopg" for of, method in calls(tree)) or any(
            isinstance(node, ast.Name) and node.id == "receiver" for node in ast.walk(tree)
        )
        assert not hears or path.endswith("receivers.py"), path


def own_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if OURS.match(alias.name))
        if isinstance(node, ast.ImportFrom) and (node.level or OURS.match(node.module or "")):
            yield ast.unparse(node)


def test_no_import_of_ours_is_hidden_in_a_function():
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                assert not list(own_imports(node)), f"{path}: {node.lineno}"
        by_name = any(
            isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
            for node in ast.walk(tree)
        )
        # What is loaded before the apps are there.
        assert not by_name or Path(path).name in ("apps.py", "pytest_plugin.py"), path


def test_parents_are_imported_by_their_full_name():
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{path}: {ast.unparse(node)}"


def test_no_file_is_an_attic():
    attics = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
    assert not [path for path, _ in sources() if Path(path).stem in attics]


def test_each_module_says_what_lives_in_it():
    for path, tree in sources():
        if tree.body and Path(path).name not in {"apps.py", "asgi.py", "wsgi.py"}:
            assert ast.get_docstring(tree), path


@pytest.mark.django_db
def test_DS5_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


# The layers


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project in another place, to plant something in."""
    there = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, there / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", there)
    return there


def lint_imports(place: Path) -> subprocess.CompletedProcess:
    command = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=place,
        env={"PYTHONPATH": str(place), "PATH": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.own_database
def test_the_layers_hold(copy):
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


PLANTED = {
    "core imports an entry point": ("devices/core/log/activity.py", "from devices.api import errors"),
    "core imports upwards, hidden in a function": (
        "devices/core/tokens.py",
        "def late():\n    from devices.http import get_client",
    ),
    "the models import core": ("devices/models.py", "from devices.core import sessions"),
    "an entry point imports another": (
        "devices/web/views.py",
        "from devices.api.errors import SessionDenied",
    ),
    "a module without a layer": ("devices/attic.py", "x = 1"),
    "core knows DRF": ("devices/core/tokens.py", "import rest_framework"),
    "devices knows accounts": ("devices/http.py", "from accounts.models import User"),
    "accounts knows the site": ("accounts/views.py", "import project.views"),
    "accounts reads the tables": ("accounts/views.py", "from devices.models import Activity"),
}  # fmt: skip


@pytest.mark.own_database
@pytest.mark.parametrize(("path", "line"), PLANTED.values(), ids=PLANTED)
def test_what_does_not_belong_there_is_found(copy, path, line):
    planted = copy / path
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint_imports(copy)
    finally:
        planted.write_text(before) if before is not None else planted.unlink()
    assert result.returncode == 1, result.stderr
    assert "BROKEN" in result.stdout
