"""Host projects over the kind of database that the suite runs on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from .project import Project


@pytest.fixture
def make_project(
    tmp_path: Path, wheel_site: Path, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Callable[..., Project]]:
    """make_project("default", "other"): a project with an empty database for each alias."""
    # Last to leave: what was made is dropped with the database unblocked.
    with django_db_blocker.unblock(), ExitStack() as stack:

        def make(*aliases: str) -> Project:
            names = aliases or ("default",)
            return Project(
                tmp_path, wheel_site, {name: _database(name, tmp_path, stack) for name in names}
            )

        yield make


def _database(alias: str, folder: Path, stack: ExitStack) -> dict[str, Any]:
    if connection.vendor == "sqlite":
        engine = "django.db.backends.sqlite3"
        return {
            "ENGINE": engine,
            "NAME": str(folder / f"{alias}.sqlite3"),
            "OPTIONS": {"timeout": 10},
        }
    here = connection.settings_dict
    name = f"{here['NAME']}_{alias}"
    drop = f'DROP DATABASE IF EXISTS "{name}"'
    if connection.vendor == "postgresql":
        drop += " WITH (FORCE)"
    drop = drop.replace('"', connection.ops.quote_name("x")[0])
    with connection._nodb_cursor() as cursor:
        cursor.execute(drop)
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")

    def forget() -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(drop)

    stack.callback(forget)
    given = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD")
    return {key: here[key] for key in given} | {"NAME": name}
