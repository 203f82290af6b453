"""Packages of npm, for tests that play what JavaScript does."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import processes

SILENTLY = ("--silent", "--no-audit", "--no-fund")


def install(folder: Path, packages: Sequence[str], untested: str) -> None:
    """Install packages, as "name@version", or skip the test and say what is not tried then."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"NO NODE: {untested}")
    command = ["npm", "install", *SILENTLY, *packages]
    if processes.run(command, folder, timeout=120) is None:
        pytest.skip(f"NO NPM REGISTRY: {untested}")
