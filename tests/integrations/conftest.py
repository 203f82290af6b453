"""Projects of other people, each with the package that it is about, served by a real server."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.hosts.project import Host

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def make_host(wheel_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Host]:
    """make_host("channels_host"): the stranger's project with the wheel, and this folder in it."""

    def make(name: str) -> Host:
        host = Host(tmp_path_factory.mktemp(name), wheel_site)
        host.take_stories()
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / name, host.folder / name, ignore=ignore)
        return host

    return make


@pytest.fixture(scope="session")
def postgres(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[str], str]]:
    """postgres("channels"): the name of a new, empty database beside that of the suite."""
    if connection.vendor != "postgresql":
        yield lambda name: pytest.skip("needs PostgreSQL (DATABASE_URL)")
        return
    with django_db_blocker.unblock(), ExitStack() as stack:

        def make(name: str) -> str:
            database = f"{settings.DATABASES['default']['NAME']}_{name}"
            drop = f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'
            with connection._nodb_cursor() as cursor:
                cursor.execute(drop)
                cursor.execute(f'CREATE DATABASE "{database}"')

            def forget() -> None:
                with connection._nodb_cursor() as cursor:
                    cursor.execute(drop)

            stack.callback(forget)
            return database

        yield make
