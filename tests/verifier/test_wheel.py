"""The wheel of the verifier: it holds the package, and asks for PyJWT alone."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_database

ROOT = Path(__file__).parents[2] / "verifier"
ADAPTERS = {"django.py": {"django"}, "starlette.py": {"starlette"}}


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    )
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("drf_devices_verifier-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = ROOT.glob("devices_verifier/**/*")
    assert packed == {
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "devices_verifier/py.typed" in packed


def test_it_imports_the_standard_library_and_pyjwt_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [line.partition("[")[0] for line in project["dependencies"]] == ["PyJWT"]
    for path in ROOT.glob("devices_verifier/*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
        assert imported - sys.stdlib_module_names <= {"jwt"} | ADAPTERS.get(path.name, set()), path


def test_its_version_is_that_of_the_app():
    versions = {
        tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (ROOT, ROOT.parent)
    }
    assert len(versions) == 1
