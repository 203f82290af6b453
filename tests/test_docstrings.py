"""Every public function, class and method says in a docstring what it does."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import devices_verifier
import pytest

import accounts
import devices
import project

# The class says what the handlers of its HTTP methods do, and a command has `help`.
HANDLERS = {"get", "head", "post", "put", "patch", "delete", "options"}
COMMANDS = re.compile(r"\.management\.commands\.")
# Run by servers, not imported.
ENTRY_POINTS = {"project.asgi", "project.wsgi"}


def names() -> Iterator[str]:
    for package in (accounts, devices, devices_verifier, project):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and module.name not in ENTRY_POINTS:
                yield module.name


def is_inherited(cls: type, name: str) -> bool:
    """Whether a base class defines the method: then it is described there."""
    return any(name in base.__dict__ for base in cls.__mro__[1:])


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif hasattr(value, "func") and not callable(value):
            value = value.func
        if inspect.isfunction(value) and value.__module__ == cls.__module__:
            yield name, value


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public callables that a module defines, without overridden methods."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(inspect.unwrap(value)):
            yield name, value
        elif inspect.isclass(value):
            yield name, value
            for method, function in methods(value):
                described = is_inherited(value, method) or method in HANDLERS
                if not method.startswith("_") and not described:
                    yield f"{name}.{method}", function


def docstring(value: Any) -> str:
    """Its own docstring: neither a base class's nor one that is generated, such as "Point(x, y)"."""
    text = vars(value).get("__doc__") if inspect.isclass(value) else inspect.unwrap(value).__doc__
    return "" if text is None or text.startswith(f"{value.__name__}(") else text


@pytest.mark.parametrize("name", sorted(set(names())))
def test_everything_public_has_a_docstring(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.skip(f"{name} needs {error.name}, which is not installed.")
    missing = [
        path
        for path, value in public(module)
        if not docstring(value) and not (path == "Command" and COMMANDS.search(name))
    ]
    assert missing == []
