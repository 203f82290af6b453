"""A project of somebody else: our wheel, Django's `startproject`, and the lines of the README."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STORIES = ROOT / "tests/hosts/stories"

# As in production, where nothing looks at each statement; and what a story need not wait for.
HASTE = """
DEBUG, ALLOWED_HOSTS = False, ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""


def run(
    *command: object, cwd: Path, fails: bool = False, python: str = sys.executable, **env: str
) -> str:
    """What a Python command prints. It has to succeed, or to fail."""
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "PYTHONPATH")}
    done = subprocess.run(
        [python, *map(str, command)],
        cwd=cwd,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True,
        text=True,
        timeout=180,
    )
    printed = done.stdout + done.stderr
    assert bool(done.returncode) == fails, printed
    return printed if fails else done.stdout


def build_wheel(source: Path) -> Path:
    # From a copy with nothing else in it, as left-overs in build/ would get into the wheel.
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignore = shutil.ignore_patterns("__pycache__", "*.mo")
    shutil.copytree(ROOT / "devices", source / "devices", ignore=ignore)
    run("-m", "build", "--wheel", "--no-isolation", cwd=source)
    return next(source.glob("dist/*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """The folder that has the wheel installed, for the path of any number of projects."""
    run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel),
        cwd=folder,
    )
    return folder


class Host:
    """The project `stranger` in a folder of its own, with the wheel installed beside it."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.site, self.folder = site, folder / "project"
        self.folder.mkdir()
        run("-m", "django", "startproject", "stranger", ".", cwd=self.folder)
        told = (ROOT / "README.md").read_text().split("## In your project")[1]
        blocks = re.findall(r"```python\n(.*?)```", told.split("\n## ")[0], re.DOTALL)
        for name, block in zip(("settings.py", "urls.py"), blocks, strict=True):
            self.append(f"stranger/{name}", block)

    def append(self, name: str, text: str) -> None:
        """Add to the end of a file, which may not be there yet."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"\n{textwrap.dedent(text)}")

    def run(self, *command: object, fails: bool = False, **more: str) -> str:
        return run(
            *command,
            cwd=self.folder,
            fails=fails,
            **{
                "PYTHONPATH": str(self.site),
                "WHEEL": str(self.site),
                "JWT_SECRET_KEY": "a signing key for the stranger, of no use elsewhere",
                "PYTHONWARNINGS": "error",
                **more,
            },
        )

    def take_stories(self) -> None:
        shutil.copytree(
            STORIES, self.folder / "stories", ignore=shutil.ignore_patterns("__pycache__")
        )
        self.append("stranger/settings.py", HASTE)

    def play(self, *stories: str, settings: str = "stranger.settings") -> None:
        """Run the tests of these stories."""
        labels = [f"stories.{story}" for story in stories]
        self.run("manage.py", "test", *labels, DJANGO_SETTINGS_MODULE=settings)
