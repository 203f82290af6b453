"""The guides are walked: their blocks make a project, and people sign in to it before and after."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

pytestmark = pytest.mark.own_database

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
# A story: its pages, and whether the lines of the README put the app in first.
GUIDES = {
    "tutorial": (["tutorial"], True),
    "existing_project": (["existing-project"], False),
    "recipes": (
        [
            *("recipes/login-view", "recipes/end-sessions", "step-up", "activity"),
            *("recipes/claims", "recipes/session-policy", "recipes/session-data"),
            *("recipes/outside-drf", "recipes/tests"),
        ],
        True,
    ),
    "authtoken": (["moving/authtoken"], True),
    "knox": (["moving/knox"], True),
    "token_blacklist": (["moving/token-blacklist"], False),
    "user_sessions": (["moving/user-sessions"], True),
}
# Stories that go on at a worker with the code from before, over the same database, and then at a new one.
WHILE_WORKERS_RESTART = {"token_blacklist"}


# What a story need not wait for: the disk, and a hash that is slow on purpose.
HASTE = """
DATABASES["default"]["OPTIONS"] = {
    "init_command": "PRAGMA synchronous=OFF",
    "transaction_mode": "IMMEDIATE",  # docs/platforms.md
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""


def blocks(pages: list[str]) -> list[tuple[str, str]]:
    """What pages put into which file: `# shop/urls.py`, or `# before: shop/urls.py` for how it was."""
    text = "".join((ROOT / "docs" / f"{page}.md").read_text() for page in pages)
    return re.findall(r"```python\n# ((?:before: )?[\w/]+\.py)\n(.*?)```", text, re.DOTALL)


def of_the_readme() -> list[tuple[str, str]]:
    told = README.split("## In your project")[1].split("\n## ")[0]
    found = re.findall(r"```python\n(.*?)```", told, re.DOTALL)
    return list(zip(("shop/settings.py", "shop/urls.py"), found, strict=True))


def write(project: Path, block: tuple[str, str]) -> None:
    path, code = block
    with (project / path.removeprefix("before: ")).open("a") as file:
        file.write(f"\n{code}")


def play(story: str, project: Path) -> None:
    environment = {
        **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
        "PYTHONPATH": str(ROOT),
        "JWT_SECRET_KEY": "a signing key for the shop, of no use elsewhere",
        "PYTHONWARNINGS": "error",
    }
    done = subprocess.run(
        [sys.executable, "-m", f"tests.guides.{story}"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("story", GUIDES)
def test_a_guide_leads_where_it_says(story, tmp_path):
    pages, by_the_readme = GUIDES[story]
    old = tmp_path / "old_worker"
    call_command("startproject", "shop", tmp_path)
    write(tmp_path, ("shop/settings.py", HASTE))
    before = [block for block in blocks(pages) if block[0].startswith("before: ")]
    for block in before:
        write(tmp_path, block)
    if before:
        play(f"{story}_before", tmp_path)
    if story in WHILE_WORKERS_RESTART:
        shutil.copytree(tmp_path, old, ignore=shutil.ignore_patterns("db.sqlite3"))
        (old / "db.sqlite3").symlink_to(tmp_path / "db.sqlite3")
    after = [block for block in blocks(pages) if block not in before]
    for path, code in [*(of_the_readme() if by_the_readme else ()), *after]:
        # A project with another package has it already.
        write(tmp_path, (path, code.replace('"rest_framework", ', "") if before else code))
    play(story, tmp_path)
    if story in WHILE_WORKERS_RESTART:
        play(f"{story}_old_worker", old)
        play(f"{story}_new_worker", tmp_path)


def test_the_guide_gives_each_difference_from_simplejwt_and_its_reason():
    suite = runpy.run_path(str(ROOT / "tools" / "simplejwt_suite.py"))
    guide = (ROOT / "docs" / "existing-project.md").read_text()
    for reason, names in suite["DIFFERENCES"].items():
        told = ", ".join(f"`{name.partition('::')[2]}`" for name in names)
        assert f"| {reason} | {told} |" in guide
