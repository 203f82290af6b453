"""The public API: its names and their arguments, and that guides and the site use nothing else."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_overloads, get_type_hints

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from devices import exceptions
from devices.decorators import recently_confirmed, session_required
from devices.exceptions import DevicesError, TooManyAttempts
from tests.source import parse

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs/public-api.md").read_text()
LIST = ROOT / "tests/public_api.txt"

MODULES = (
    *("shortcuts", "account", "decorators", "permissions", "hooks", "impersonation", "testing"),
)
# For reading, and to be named in settings or subclassed.
MODELS = {"devices.models": {"Activity", "DeviceSession", "RevokeReason"}}
PATHS = set(re.findall(r"`(devices(?:\.\w+)+)`", PAGE.split("## Import paths for settings")[1]))


def names() -> Iterator[tuple[str, object]]:
    for name in MODULES:
        module = importlib.import_module(f"devices.{name}")
        for each in sorted(module.__all__):
            yield f"devices.{name}.{each}", getattr(module, each)
    for name, each in sorted(vars(exceptions).items()):
        if isinstance(each, type) and each.__module__ == exceptions.__name__:
            yield f"devices.exceptions.{name}", each
    for name, each in sorted(vars(importlib.import_module("devices.signals")).items()):
        if type(each).__name__ == "Signal" and name.islower():
            yield f"devices.signals.{name}", each


def described() -> Iterator[str]:
    for name, each in names():
        if inspect.isfunction(each):
            signature = str(inspect.signature(each))
            yield name + re.sub(r"\b(?:[a-z_]+\.)+([A-Z]\w*)", r"\1", signature)
        elif isinstance(each, type) and issubclass(each, DevicesError | TooManyAttempts):
            yield f"{name} {each.status} {each.code}"
        else:
            yield name


def test_no_name_changes_unnoticed():
    """A change here is a change for host projects: the changelog has to tell it."""
    assert "\n".join(described()) + "\n" == LIST.read_text()


def test_decorators_keep_the_type_of_a_view():
    """As projects that check their types with mypy's `strict` ask of a decorator."""
    bare, called = get_overloads(recently_confirmed)
    for decorator in (session_required, bare):
        types = get_type_hints(decorator)
        assert types["view"] is types["return"]
    [taken], returned = get_args(get_type_hints(called)["return"])
    assert taken is returned


def test_each_name_has_a_docstring_and_stands_on_the_page():
    for name, each in names():
        if callable(each):
            assert inspect.getdoc(each), name
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", PAGE + signals_page()), name


def signals_page() -> str:
    return (ROOT / "docs/signals.md").read_text() + (ROOT / "docs/impersonation.md").read_text()


def test_each_import_path_of_the_page_leads_somewhere():
    for path in PATHS:
        try:
            importlib.import_module(path)
        except ImportError:
            assert import_string(path)


@pytest.mark.parametrize(
    "error", [each for name, each in names() if name.startswith("devices.exceptions.")]
)
def test_each_error_has_code_message_and_status(error):
    made = error(1) if error is TooManyAttempts else error()
    assert made.code and 400 <= made.status < 600 and str(made)
    if error.__name__ not in ("DevicesError", "SessionError"):
        assert f"| `{error.__name__}` | {made.status} | `{made.code}` |" in PAGE


# Who uses it


def imports(source: str) -> Iterator[str]:
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def guides() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("docs/**/*.md")):
        if "_site" not in path.parts:
            for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
                yield path.relative_to(ROOT).as_posix(), block
    for path in sorted(ROOT.glob("tests/guides/*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text()


def is_public(name: str) -> bool:
    public = {name for name, _ in names()} | PATHS
    public |= {f"{module}.{each}" for module, found in MODELS.items() for each in found}
    return name in public or name.startswith("devices.contrib.")


# What the admin of a host project may take, beside the page.
OF_THE_ADMIN = {"devices.admin.users.UserSessionsMixin"}


def test_guides_import_public_names_only():
    found = 0
    for path, source in guides():
        for name in imports(source):
            if name.split(".")[0] == "devices":
                assert is_public(name) or name in OF_THE_ADMIN, f"{path}: {name}"
                found += 1
    assert found > 30
