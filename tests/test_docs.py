"""The documents say what is so."""

import re
import shutil
import subprocess
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from django.test import Client
from django.urls import URLResolver, get_resolver

from devices.conf import Conf

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
DOCS = {"README.md": README} | {
    path.relative_to(ROOT / "docs").as_posix(): path.read_text()
    for path in ROOT.glob("docs/**/*.md")
    if "_site" not in path.parts
}


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    lines = [
        line for line in text.splitlines() if line.startswith("| `") or line.startswith("| [`")
    ]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


# README


def test_the_readme_names_the_endpoints_there_are(db):
    def served(patterns: list[Any], prefix: str = "") -> Any:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from served(pattern.url_patterns, path)
            elif path.startswith("api/"):
                view = pattern.callback
                methods = {"get", "post", "put", "patch", "delete"}
                methods &= set(getattr(view, "actions", None) or dir(view.cls))
                plain = path.replace("(?P<pk>[^/]+)", "{id}").replace("^", "").replace("/?$", "")
                yield from (f"{method.upper()} /{plain}" for method in methods)

    table = section(README, "Endpoints")
    assert set(re.findall(r"`([A-Z]+ /\S+)`", table)) == set(served(get_resolver().url_patterns))
    pages = re.findall(r"`(/\S*)`", table.splitlines()[-1] or table)
    assert len(pages) >= 6
    for page in pages:
        assert Client().get(page).status_code in (200, 302), page


def test_the_readme_shows_the_tree_that_is():
    tree = section(README, "Layout").split("```")[1]
    shown: dict[str, set[str]] = {}
    folders: list[str] = []
    for line in tree.strip("\n").splitlines():
        indent, names = re.match(r"( *)(\S+(?: \S+)*)", line).groups()
        folders = [*folders[: len(indent) // 2], names.split()[-1].rstrip("/")]
        shown.setdefault("/".join(folders[:-1]), set()).update(names.split())
    for folder in ("devices", "devices/core"):
        real = {
            f"{path.name}/" if path.is_dir() else path.name
            for path in (ROOT / folder).iterdir()
            if not path.name.startswith("_") and path.name not in ("migrations", "py.typed")
        }
        assert shown[folder] == real - {"templates/", "locale/", "static/"}
    packages = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")}
    assert shown[""] == packages | {"docs/", "verifier/"}


@pytest.mark.skipif(not shutil.which("curl"), reason="the README's story needs curl")
def test_the_story_of_the_readme_happens_as_printed(live_server):
    story = section(README, "Try it in a minute").split("```bash\n")[1].split("```")[0]
    printed = "http://localhost:8000"
    assert printed in story
    told = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", story.replace(printed, live_server.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    devices, rest = told.split("]\n")
    assert re.findall(r'"device": "(.*)"', devices) == ["Safari on iOS", "curl"]
    assert re.findall(r'"is_current": (\w+)', devices) == ["false", "true"]
    assert re.findall(r'^204|"code":"\w+"|"revoked":\d+', rest, re.MULTILINE) == [
        "204",
        '"code":"session_revoked"',
        '"revoked":1',
        '"code":"session_revoked"',
    ]


# docs/


@pytest.mark.parametrize("name", DOCS)
def test_links_lead_somewhere(name):
    folder = ROOT if name == "README.md" else (ROOT / "docs" / name).parent
    for target in re.findall(r"\]\((?!http)([^)#]+)", DOCS[name]):
        assert (folder / target).exists(), target


def test_settings_md_has_the_keys_of_the_app_with_their_defaults():
    class Recorder(Conf):
        def _get(self, key: str, default: Any) -> Any:
            defaults[key] = default
            return default

    defaults: dict[str, Any] = {}
    meanings = {}
    for name, value in vars(Conf).items():
        if isinstance(value, cached_property):
            getattr(Recorder(), name)
            meanings[name] = (value.__doc__ or "").strip()
    table = rows(section(DOCS["settings.md"], "Of the app: `DEVICES`"))
    told = [
        [key.strip("`"), eval(default.strip("`"), {"timedelta": timedelta}), meaning]
        for key, default, meaning in table
    ]
    assert told == [[key, defaults[key], meanings[key]] for key in defaults]


def test_projects_are_told_of_the_leeway_that_the_site_has():
    told = {name: text for name, text in DOCS.items() if '    "ISSUER": ' in text}
    assert len(told) == 3
    seconds = int(settings.SIMPLE_JWT["LEEWAY"].total_seconds())
    for name, text in told.items():
        assert f'    "LEEWAY": timedelta(seconds={seconds}),\n' in text, name


def test_settings_md_and_the_example_have_the_variables_of_the_environment():
    code = "".join(path.read_text() for path in ROOT.glob("project/*.py"))
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"(\w+)"', code))
    assert {"SECRET_KEY", "DEBUG", "DATABASE_URL"} <= read
    table = rows(section(DOCS["settings.md"], "Of the site: the environment"))
    assert {row[0].strip("`") for row in table} == read
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE)) == read


def test_architecture_md_gives_a_reason_for_each_dependency():
    required = re.findall(r"^([\w-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    table = rows(section(DOCS["architecture.md"], "Dependencies"))
    assert [row[0] for row in table] == [f"`{name}`" for name in required]
    assert all(len(row[1]) > 10 for row in table)


def test_architecture_md_names_owners_that_exist():
    table = section(DOCS["architecture.md"], "One owner for each responsibility")
    owners = re.findall(r"\| .+ \| (`.+`) \|$", table, re.MULTILINE)
    assert len(owners) > 20
    for owner in owners:
        first, *others = re.findall(r"`([^`]+)`", owner)
        folder = (ROOT / first).parent
        assert all(path.exists() for path in (ROOT / first, *(folder / name for name in others)))


@pytest.mark.parametrize(
    ("command", "heading"),
    [
        ("cleanup_sessions", "Cleaning up"),
        ("revoke_sessions", "After an incident"),
        ("erase_user", "Retention"),
    ],
)
def test_operations_md_shows_the_options_of_the_commands(command, heading):
    usual = {
        option
        for action in BaseCommand().create_parser("", "")._actions
        for option in action.option_strings
    }
    parser = load_command_class("devices", command).create_parser("manage.py", command)
    options = {option for action in parser._actions for option in action.option_strings}
    text = section(DOCS["operations.md"], heading)
    assert f"manage.py {command}" in text
    assert set(re.findall(r"`(--[\w-]+)`", text)) == options - usual


def test_the_makefile_has_what_the_documents_tell_to_make():
    makefile = (ROOT / "Makefile").read_text()
    told = {t for text in DOCS.values() for t in re.findall(r"(?:`|    )make ([a-z]+)\b", text)}
    assert {"run", "test", "check", "demo"} <= told
    for target in told:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
