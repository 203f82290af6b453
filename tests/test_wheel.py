"""The app `devices` alone: built, installed and used where nothing of this site is (R24)."""

import ast
import os
import re
import shutil
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions

import pytest

from tests.hosts.project import ROOT, Host
from tests.source import parse

pytestmark = pytest.mark.own_database


def test_the_wheel_holds_the_app_whole_and_nothing_else(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("devices/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == source
    assert {"devices/py.typed", "devices/templates/devices/base.html"} <= packed
    assert "devices/locale/de/LC_MESSAGES/django.mo" in packed


# Where the name of a distribution tells nothing of its package's.
MAKERS = {"oauth2_provider": ["django-oauth-toolkit"]}


def test_the_wheel_asks_for_what_the_app_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = {
        re.match(r"[\w-]+", line)[0].lower()
        for line in [*project["dependencies"], *(line for extra in extras for line in extra)]
    }
    imported = set()
    for path in ROOT.glob("devices/**/*.py"):
        for node in ast.walk(parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"devices"}
    by_package = packages_distributions()
    for name in foreign:
        # What an extra asks for may not be installed here.
        guessed = MAKERS.get(name, [name, f"django-{name}", f"{name}-api"])
        makers = by_package.get(name, guessed)
        makers = {maker.lower().replace("_", "-") for maker in makers}
        assert makers & asked, name


def test_a_stranger_takes_the_app_in_by_the_lines_of_the_readme(wheel_site, tmp_path):
    host = Host(tmp_path, wheel_site)
    shutil.copy(ROOT / "tests/stranger.py", host.folder / "story.py")
    assert host.run("story.py").endswith("The stranger is content.\n")


def test_a_stranger_on_sqlite_needs_no_driver_of_postgresql(wheel_site, tmp_path):
    host = Host(tmp_path, wheel_site)
    shutil.copy(ROOT / "tests/stranger.py", host.folder / "story.py")
    for driver in ("psycopg", "psycopg2"):
        missing = tmp_path / "missing" / driver
        missing.mkdir(parents=True)
        (missing / "__init__.py").write_text(f"raise ImportError('No module named {driver}')")
    path = os.pathsep.join([str(tmp_path / "missing"), str(wheel_site)])
    assert host.run("story.py", PYTHONPATH=path).endswith("The stranger is content.\n")
