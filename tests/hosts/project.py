"""A project of somebody else: our wheel, Django's `startproject`, and the lines of the README."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STORIES = ROOT / "tests/hosts/stories"

# What a story need not wait for: a hash that is slow on purpose.
HASTE = 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]\n'


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


class Host:
    """The project `stranger` in a folder of its own, with the wheel installed beside it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.site, self.folder = folder / "site", folder / "project"
        self.folder.mkdir()
        run(
            *("-m", "pip", "install", "--quiet", "--no-deps", "--target", self.site, wheel),
            cwd=folder,
        )
        run("-m", "django", "startproject", "stranger", ".", cwd=self.folder)
        told = (ROOT / "README.md").read_text().split("## In a project of yours")[1]
        blocks = re.findall(r"```python\n(.*?)```", told.split("\n## ")[0], re.DOTALL)
        for name, block in zip(("settings.py", "urls.py"), blocks, strict=True):
            with (self.folder / "stranger" / name).open("a") as file:
                file.write(f"\n{block}")

    def run(self, *command: object, fails: bool = False, **env: str) -> str:
        return run(
            *command,
            cwd=self.folder,
            fails=fails,
            **{
                "PYTHONPATH": str(self.site),
                "WHEEL": str(self.site),
                "JWT_SECRET_KEY": "a signing key for the stranger, of no use elsewhere",
                "PYTHONWARNINGS": "error",
                **env,
            },
        )

    def take_stories(self) -> None:
        shutil.copytree(
            STORIES, self.folder / "stories", ignore=shutil.ignore_patterns("__pycache__")
        )
        with (self.folder / "stranger/settings.py").open("a") as file:
            file.write(f"\n{HASTE}")

    def play(self, story: str) -> None:
        """Run the tests of one story, under settings of its own if it has some."""
        own = (self.folder / f"stories/settings_{story}.py").exists()
        settings = f"stories.settings_{story}" if own else "stranger.settings"
        self.run("manage.py", "test", f"stories.{story}", DJANGO_SETTINGS_MODULE=settings)
