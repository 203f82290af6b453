"""The documents as a site, which `make docs` builds: each page has its place, the reference is the code's."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from django import VERSION
from django.conf import settings
from django.core.management import get_commands
from django.db.backends.postgresql.features import DatabaseFeatures as Postgres

from devices.core.log.activity import KIND
from devices.exceptions import EmailNotVerified, OtpRequired, TooManyAttempts
from docs import endpoints
from tests.source import parse
from tests.test_schema import OPERATIONS, SCHEMA

ROOT = Path(settings.BASE_DIR)
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text() for path in DOCS.rglob("*.md")}
PAGES = {name: text for name, text in PAGES.items() if not name.startswith("_site/")}
# Whatever makes a line of the activity log.
WRITES = r"\b(Entry|_suspect|activity\.record)$"
SOURCES = [path for package in ("devices", "accounts") for path in (ROOT / package).rglob("*.py")]


def first_column(page: str, head: str) -> list[str]:
    """The first cells of the table that begins with this head."""
    lines = PAGES[page].split(f"| {head} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ")[0].strip("` ") for line in lines]


def test_every_page_has_its_place_in_the_menu():
    placed = set()
    for name, text in PAGES.items():
        for listed in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            entries = re.findall(r"^(?:.*<)?([\w/-]+)>?$", listed, re.MULTILINE)
            placed |= {(Path(name).parent / f"{entry}.md").as_posix() for entry in entries}
    assert placed == PAGES.keys() - {"index.md"}


def test_the_reference_has_every_endpoint_and_every_code():
    written = "\n".join(endpoints.pages(SCHEMA))
    assert sorted(re.findall(r"^### (.*)", written, re.MULTILINE)) == sorted(OPERATIONS)
    for operation in OPERATIONS.values():
        assert f"**{operation['summary']}.**" in written


def test_the_table_of_errors_is_complete():
    foretold = {
        (example["value"]["code"], status)
        for operation in OPERATIONS.values()
        for status, answer in operation["responses"].items()
        for media in answer.get("content", {}).values()
        for example in media.get("examples", {}).values()
        if status >= "400" and "code" in example["value"]
    }
    # What any endpoint may answer, as the description says at its head.
    foretold |= {("method_not_allowed", "405"), ("not_acceptable", "406")}
    foretold |= {("too_early", "425"), ("unavailable", "503")}
    table = PAGES["api.md"].split("| code |", 1)[1].split("\n\n")[0]
    documented = set(re.findall(r"^\| `(\w+)` \| (\d+) \| .+ \|$", table, re.MULTILINE))
    assert documented == foretold


def test_the_table_of_codes_at_allauth_s_endpoints_is_that_of_the_code():
    code = "".join(
        (ROOT / "accounts" / name).read_text() for name in ("adapters.py", "first_proof.py")
    )
    raised = set(re.findall(r'ValidationError\(.*code="(\w+)"\)', code))
    assert "sign_in_first" in raised
    raised |= {EmailNotVerified.code, TooManyAttempts(1).code, OtpRequired.code}
    # The errors of any login are in a table of their own.
    told = first_column("sign-in-methods.md", "code")
    assert {code for code in told if not code.endswith("…")} == raised


def test_the_table_of_activities_is_that_of_the_code():
    recorded = set()
    for path in SOURCES:
        for node in ast.walk(parse(path.read_text())):
            if isinstance(node, ast.Call) and re.search(WRITES, ast.unparse(node.func)):
                values = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                recorded |= {kind for kind in values if KIND.fullmatch(str(kind))}
    assert {"session.started", "login.suspicious"} <= recorded
    assert set(first_column("api.md", "kind")) == recorded


def test_the_table_of_signals_is_that_of_the_code():
    code = (ROOT / "devices/signals.py").read_text()
    sent = re.findall(r"^# (\w+: .*)\n(\w+) = Signal\(\)", code, re.MULTILINE)
    assert len(sent) == code.count("= Signal()")
    table = PAGES["signals.md"].split("| signal |", 1)[1].split("\n\n")[0]
    documented = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|$", table, re.MULTILINE)
    assert documented == [(name, arguments) for arguments, name in sent]


def test_the_versions_are_those_that_are_asked_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = project["requires-python"].removeprefix(">=")
    django = re.search(r"^Django~=(\d+\.\d+)", (ROOT / "requirements.in").read_text(), re.M)[1]
    assert f'"Django>={django}' in (ROOT / "pyproject.toml").read_text()
    # Django 6.1 asks for 15, the site's own for what the documents say.
    postgres = 14 if VERSION >= (6, 1) else Postgres.minimum_database_version[0]
    told = (
        f"Python {python} and newer, Django {django} and newer, and PostgreSQL {postgres} and newer"
    )
    assert told in PAGES["index.md"]
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert f'python: ["{python}"' in workflow


def test_every_command_is_told_of():
    ours = {name for name, app in get_commands().items() if app in ("devices", "project")}
    assert {"cleanup_sessions", "demo"} <= ours
    told = "\n".join([(ROOT / "README.md").read_text(), *PAGES.values()])
    for name in ours:
        assert re.search(rf"\b{name}\b", told), name
    for name in re.findall(r"manage\.py ([a-z_]+)", told):
        assert name in get_commands(), name


BLOCKS = {
    f"{name}, {i}": block
    for name, text in {**PAGES, "README.md": (ROOT / "README.md").read_text()}.items()
    for i, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), 1)
}


@pytest.mark.parametrize("name", BLOCKS)
def test_what_looks_like_python_is_python_and_imports_what_is_there(name):
    for node in ast.walk(parse(BLOCKS[name])):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "devices":
            if node.module == "devices.contrib.ninja":
                pytest.importorskip("ninja", reason="needs django-ninja: make test-integrations")
            if node.module.startswith(
                ("devices.contrib.dj_rest_auth", "devices.contrib.oauth_toolkit")
            ):
                pytest.skip("make test-integrations plays this page where its package is")
            module = __import__(node.module, fromlist=[alias.name for alias in node.names])
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
