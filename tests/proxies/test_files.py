"""A proxy asks the app before it serves a file, as docs/proxies.md has it."""

import re
import shutil
import tempfile
from os import environ
from pathlib import Path

import pytest

from tests.client import PASSWORD
from tests.dpop import Key
from tests.ports import free_port

from .servers import NGINX_MAIN, PAGE, client_at, environment, gunicorn, migrate, running

pytestmark = pytest.mark.own_database

ALICE = {"email": "alice@example.org", "password": PASSWORD}
AS_A_PERSON = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def site():
    """nginx with what the page shows, and with files for apps: without the line that is for people."""
    nginx = shutil.which("nginx", path=f"{environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("NO PROXY: nginx is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder, port, upstream = Path(name), free_port(), free_port()
        # A user of nginx's own has to reach the files in it.
        folder.chmod(0o755)
        for files in ("files", "apps"):
            (folder / files).mkdir()
            (folder / files / "plan.txt").write_text("the plan")
        env = environment(folder, DJANGO_SETTINGS_MODULE="tests.proxies.files")
        migrate(env)
        section = PAGE.split("## Files that the proxy serves")[1]
        [shown] = re.findall(r"```nginx\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
        for old, new in {"/srv/shop": name, "127.0.0.1:8000": f"127.0.0.1:{upstream}"}.items():
            assert old in shown
            shown = shown.replace(old, new)
        # The site redirects to HTTPS.
        shown = shown.replace("$scheme", "https")
        [files] = re.findall(r"location /files/ \{.*?\}", shown, re.DOTALL)
        apps = re.sub("error_page.*", "", files.replace("/files/", "/apps/"))
        rest = f"proxy_pass http://127.0.0.1:{upstream};"
        rest += "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto https;"
        server = f"server {{ listen 127.0.0.1:{port}; {shown} {apps} location / {{ {rest} }} }}"
        config = folder / "nginx.conf"
        config.write_text(NGINX_MAIN.format(folder=folder, servers=server))
        with (
            gunicorn(folder, upstream, env),
            running([nginx, "-c", str(config)], folder / "nginx.out", port),
            client_at(f"http://127.0.0.1:{port}") as client,
        ):
            client.post("/api/register", json=ALICE)
            yield client


def test_a_file_is_for_who_is_signed_in_and_no_longer(site):
    token = site.post("/api/login", json=ALICE).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answer = site.get("/apps/plan.txt", headers=bearer)
    assert (answer.text, answer.headers["Cache-Control"]) == ("the plan", "private, no-cache")
    assert site.post("/api/logout", headers=bearer).status_code < 300
    refused = site.get("/apps/plan.txt", headers=bearer)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_person_is_sent_to_sign_in_and_from_there_to_the_file(site):
    answer = site.get("/files/plan.txt", headers=AS_A_PERSON)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/accounts/login/?next=/files/plan.txt")


def test_nobody_else_is_told_by_the_page(site):
    assert site.get("/session").status_code == 404


def test_a_proof_for_a_file_is_not_one_for_the_page(site):
    key, url = Key(), "https://api.example.org"
    proof = {"DPoP": key.proof("POST", f"{url}/api/login")}
    token = site.post("/api/login", json=ALICE, headers=proof).json()["access_token"]
    for proved, status in (("/apps/plan.txt", 401), ("/session", 200)):
        proof = {"DPoP": key.proof("GET", f"{url}{proved}", token)}
        answer = site.get("/apps/plan.txt", headers=proof | {"Authorization": f"DPoP {token}"})
        assert answer.status_code == status
