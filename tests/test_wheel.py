"""The app `devices` alone: built, installed and used where nothing of this site is (R24)."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def run(*command, cwd, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # From a copy with nothing else in it, as left-overs in build/ would get into the wheel.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "devices", source / "devices", ignore=shutil.ignore_patterns("__pycache__")
    )
    run("-m", "build", "--wheel", "--no-isolation", cwd=source)
    return next(source.glob("dist/*.whl"))


def test_the_wheel_holds_the_app_whole_and_nothing_else(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("devices/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == source
    assert {"devices/py.typed", "devices/templates/devices/base.html"} <= packed


def test_the_wheel_asks_for_what_the_app_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = {
        re.match(r"[\w-]+", line)[0].lower()
        for line in [*project["dependencies"], *(line for extra in extras for line in extra)]
    }
    imported = set()
    for path in ROOT.glob("devices/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"devices"}
    by_package = packages_distributions()
    for name in foreign:
        makers = {maker.lower().replace("_", "-") for maker in by_package[name]}
        assert makers & asked, name


def test_a_stranger_takes_the_app_in_by_the_lines_of_the_readme(wheel, tmp_path):
    site, project = tmp_path / "site", tmp_path / "project"
    project.mkdir()
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    run("-m", "django", "startproject", "stranger", ".", cwd=project)
    told = (ROOT / "README.md").read_text().split("## In a project of yours")[1]
    for name, block in zip(
        ("settings.py", "urls.py"), re.findall(r"```python\n(.*?)```", told, re.DOTALL), strict=True
    ):
        with (project / "stranger" / name).open("a") as file:
            file.write(f"\n{block}")
    shutil.copy(ROOT / "tests/stranger.py", project / "story.py")
    story = run(
        "story.py",
        cwd=project,
        PYTHONPATH=str(site),
        WHEEL=str(site),
        JWT_SECRET_KEY="a signing key for the stranger, of no use elsewhere",
        PYTHONWARNINGS="error",
    )
    assert story.endswith("The stranger is content.\n")
