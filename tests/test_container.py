"""The image and the services hold what the site needs, as far as that shows without Docker."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import compose_spec
import httpx
import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from tests.ports import free_port

ROOT = Path(settings.BASE_DIR)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.mark.own_database
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


def test_the_services_are_written_as_compose_reads_them():
    """By the rules of the Compose Specification; that names lead somewhere is looked at here."""
    options = compose_spec.PyOptions()
    options.apply_merge = True
    options.from_yaml((ROOT / "compose.yaml").read_text()).validate()
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(COMPOSE["volumes"])
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services[needed]["healthcheck"]


def given() -> dict[str, str]:
    """The environment of a service, with what is not given by whoever starts it."""
    values = {
        "SECRET_KEY": token_urlsafe(48),
        "JWT_SECRET_KEY": token_urlsafe(48),
        "POSTGRES_PASSWORD": "secret",
        "EMAIL_URL": "smtp://mail",
    }
    return {
        name: re.sub(
            r"\$\{(\w+):[?-]([^}]*)\}", lambda match: values.get(match[1], match[2]), str(text)
        )
        for name, text in COMPOSE["x-site"]["environment"].items()
    }


def test_the_image_has_the_packages_that_its_services_need():
    """What is installed here says nothing of that: the lock of the tests names more."""
    lock = (ROOT / "requirements.txt").read_text()
    names = {"redis": "redis", "postgres": "psycopg"}
    schemes = set(re.findall(r"(\w+)://(?:devices|redis)[:@]", " ".join(given().values())))
    assert schemes == set(names)
    for scheme in schemes:
        assert re.search(rf"^{names[scheme]}(\[\w+\])?==", lock, re.MULTILINE)


@pytest.mark.own_database
def test_nothing_is_wrong_with_the_settings_that_the_services_give():
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=os.environ | given() | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def served(tmp_path):
    """The image's own command with what compose gives it, beside a database of this test."""
    port = free_port()
    command = json.loads(re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[1])
    command = [sys.executable, "-m", *(part.replace(":8000", f":{port}") for part in command)]
    environment = given() | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DEVICES_NOTICE_QUEUE": "worker",
        "DEVICES_BUS": "",
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log
        )
        yield port
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.own_database
def test_the_image_is_healthy_over_plain_http_and_all_else_is_sent_to_https(served):
    check = json.loads(re.search(r"^HEALTHCHECK CMD (.*)$", DOCKERFILE, re.MULTILINE)[1])
    check = [sys.executable, *(part.replace(":8000", f":{served}") for part in check[1:])]
    end = time.monotonic() + 60
    while subprocess.run(check, capture_output=True, timeout=60).returncode:
        assert time.monotonic() < end, "the image does not become healthy"
        time.sleep(0.2)
    page = httpx.get(f"http://127.0.0.1:{served}/api/schema", headers={"Host": "localhost"})
    assert (page.status_code, page.headers["Location"]) == (301, "https://localhost/api/schema")


# On Kubernetes


RECIPE = (ROOT / "docs" / "recipes" / "kubernetes.md").read_text()
MANIFEST = list(yaml.safe_load_all(RECIPE.split("```yaml\n")[1].split("```")[0]))


def found(name: str, node: Any) -> Iterator[Any]:
    """What stands under this name, wherever it is."""
    if isinstance(node, dict):
        yield from (node[name] for _ in [0] if name in node)
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from found(name, each)


@pytest.mark.parametrize("document", MANIFEST, ids=lambda document: document["kind"])
def test_the_manifest_is_written_as_kubernetes_reads_it(document):
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_manifest_runs_commands_that_exist_with_variables_that_are_read():
    given = {**MANIFEST[0]["data"], **MANIFEST[1]["stringData"]}
    example = (ROOT / ".env.example").read_text()
    assert given.keys() <= set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    commands = [command[2] for command in found("command", MANIFEST)]
    assert sorted(commands) == ["cleanup_sessions", "devices_worker", "migrate"]
    assert set(commands) <= set(get_commands())
    containers = [each for several in found("containers", MANIFEST) for each in several]
    sources = [{"configMapRef": {"name": "devices"}}, {"secretRef": {"name": "devices"}}]
    assert all(each["envFrom"] == sources for each in containers)
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {each["image"] for each in containers} == {f"registry.example.org/devices:{version[1]}"}


def test_each_release_migrates_by_a_job_of_its_own():
    """What a Job runs is immutable: to apply another image under the same name fails."""
    [job] = [each for each in MANIFEST if each["kind"] == "Job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    release = container["image"].rpartition(":")[2]
    assert job["metadata"]["name"] == f"devices-migrate-{release.replace('.', '-')}"
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_the_probes_of_the_manifest_are_answered(client, db):
    paths = {probe["path"] for probe in found("httpGet", MANIFEST)}
    assert paths == {"/healthz", "/readyz"}
    for path in paths:
        assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
