"""The image and the services hold what the site needs, as far as that shows without Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_commands_of_the_image_run_on_what_is_copied_into_it(tmp_path):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (line[1:] for line in ignored if line.startswith("!")):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.mo")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, tmp_path)
    steps = re.search(r"^RUN (export (?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)[1]
    steps = steps.replace("\\\n", " ").split("&& useradd")[0]
    folder = str(Path(sys.executable).parent)
    subprocess.run(
        ["sh", "-ec", steps],
        cwd=tmp_path,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert list(tmp_path.glob("staticfiles/site*.css"))
    assert len(list(tmp_path.glob("*/locale/de/LC_MESSAGES/django.mo"))) == 3


def test_the_image_is_not_root_and_installs_the_lock():
    assert "pip install --require-hashes -r requirements.txt" in DOCKERFILE
    assert DOCKERFILE.index("\nUSER devices\n") < DOCKERFILE.index("\nCMD ")


def test_the_services_run_commands_that_exist_with_variables_that_are_read():
    services = COMPOSE["services"]
    assert set(services) == {"site", "migrate", "worker", "cleanup", "database", "redis"}
    for service in services.values():
        for name in re.findall(r"manage\.py[, ]+(\w+)", " ".join(service.get("command", []))):
            assert name in get_commands()
    known = set(
        re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    assert set(COMPOSE["x-site"]["environment"]) <= known
