"""Packages of npm, for tests that play what JavaScript does."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SILENTLY = ("--silent", "--no-audit", "--no-fund")


def install(folder: Path, packages: Sequence[str], untested: str) -> None:
    """Install packages, as "name@version", or skip the test and say what is not tried then."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"NO NODE: {untested}")
    command = ["npm", "install", *SILENTLY, *packages]
    try:
        subprocess.run(command, cwd=folder, capture_output=True, timeout=240, check=True)
    except subprocess.SubprocessError:
        pytest.skip(f"NO NPM REGISTRY: {untested}")
