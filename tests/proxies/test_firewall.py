"""ModSecurity with the Core Rule Set lets the API through and keeps no password, as the page has it."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path

import httpx
import pytest

from tests.client import PASSWORD
from tests.dpop import Key
from tests.ports import free_port

from .servers import (
    PAGE,
    certificate,
    client_at,
    documented,
    environment,
    gunicorn,
    migrate,
    running,
)

pytestmark = pytest.mark.own_database

MODULES = Path("/usr/lib/apache2/modules")
SETTINGS = Path("/etc/modsecurity")
RULES = Path("/usr/share/modsecurity-crs/rules")

ALICE = {"email": "alice@example.org", "password": PASSWORD}
SITE = "https://api.example.org"
# In it rule 930120 finds ".nsr", a name of a file: so one signature in 33,000 begins.
ODD_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.NsRvcVaT8mpVJ4yBHo5cQ0Ku0aQ1cQm7rJ0a9uVn0aA"
# Rule 942100 takes it for SQL.
ODD_PASSWORD = "km%@RDVoO$#LNV"


@contextmanager
def behind_firewall(before: str, after: str) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of the site behind Apache with the rules, and the folder of its logs."""
    apache = shutil.which("apache2", path=f"{environ['PATH']}:/usr/sbin")
    if apache is None or not (MODULES / "mod_security2.so").exists() or not RULES.exists():
        pytest.skip("NO PROXY: ModSecurity with the Core Rule Set is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder, port, upstream = Path(name), free_port(), free_port()
        # Apache's own user writes there.
        folder.chmod(0o777)
        certificate(folder)
        env = environment(folder)
        migrate(env)
        changes = {
            "SecRuleEngine DetectionOnly": "SecRuleEngine On",
            "/var/log/apache2/modsec_audit.log": f"{folder}/audit.log",
            "unicode.mapping": str(SETTINGS / "unicode.mapping"),
            "SecTmpDir /tmp/": f"SecTmpDir {folder}",
            "SecDataDir /tmp/": f"SecDataDir {folder}",
        }
        recommended = (SETTINGS / "modsecurity.conf-recommended").read_text()
        for old, new in changes.items():
            assert old in recommended
            recommended = recommended.replace(old, new)
        loaded = [
            f"LoadModule {name}_module {MODULES}/mod_{name}.so"
            for name in ("unique_id", "security2")
        ]
        setup, rules = f"Include {SETTINGS}/crs/crs-setup.conf", f"Include {RULES}/*.conf"
        shown = documented("apache", folder, port, upstream)
        config = folder / "apache.conf"
        config.write_text("\n".join([shown, *loaded, recommended, setup, before, rules, after, ""]))
        with (
            gunicorn(folder, upstream, env),
            running([apache, "-f", str(config), "-DFOREGROUND"], folder / "apache.out", port),
            client_at(f"https://127.0.0.1:{port}") as client,
        ):
            client.headers["User-Agent"] = "Mozilla/5.0"
            client.post("/api/register", json=ALICE)
            yield client, folder


@pytest.fixture(scope="module")
def documented_site():
    section = PAGE.split("## A web application firewall")[1].split("\n## ")[0]
    [shown] = re.findall(r"```apache\n(.*?)```", section, re.DOTALL)
    before, after = shown.split("# After the rules")
    with behind_firewall(before, f"# {after}") as site:
        yield site


def signed_in(client):
    # A device of its own.
    client.cookies.clear()
    answer = client.post("/api/login", json=ALICE).json()
    return answer["session_id"], {"Authorization": f"Bearer {answer['access_token']}"}


def kept(folder):
    """What the firewall and Apache have written down; they do so after the answer."""
    time.sleep(1)
    return "".join(
        (folder / name).read_text(errors="replace") for name in ("audit.log", "apache.log")
    )


def test_without_the_lines_it_refuses_and_keeps_what_the_page_says():
    with behind_firewall("", "") as (client, folder):
        session_id, bearer = signed_in(client)
        for answer in (
            client.patch("/api/sessions/current", json={"name": "Telephone"}, headers=bearer),
            client.delete(f"/api/sessions/{session_id}", headers=bearer),
            client.post(
                "/providers/events",
                content="a.b.c",
                headers={"Content-Type": "application/secevent+jwt"},
            ),
            client.post("/api/login", json={**ALICE, "password": ODD_PASSWORD}),
            client.post("/api/token/refresh", json={"refresh": ODD_TOKEN}),
            client.get("/api/me", headers={"Cookie": f"__Host-access_token={ODD_TOKEN}"}),
        ):
            assert (answer.status_code, "Forbidden" in answer.text) == (403, True)
        assert client.post("/api/login", json={**ALICE, "password": "mistyped"}).status_code == 401
        assert {
            word
            for word in ("mistyped", ODD_PASSWORD, bearer["Authorization"])
            if word in kept(folder)
        } == {
            "mistyped",
            ODD_PASSWORD,
            bearer["Authorization"],
        }


def test_sessions_can_be_renamed_and_ended(documented_site):
    client, _ = documented_site
    (other, _), (_, bearer) = signed_in(client), signed_in(client)
    renamed = client.patch("/api/sessions/current", json={"name": "Telephone"}, headers=bearer)
    assert renamed.json()["name"] == "Telephone"
    assert client.delete(f"/api/sessions/{other}", headers=bearer).status_code == 204


def test_the_app_gets_passwords_of_any_kind(documented_site):
    client, _ = documented_site
    person = {"email": "bob@example.org", "password": ODD_PASSWORD}
    assert client.post("/api/register", json=person).status_code == 201
    assert client.post("/api/login", json=person).status_code == 200


def test_the_app_gets_tokens_of_any_kind(documented_site):
    client, _ = documented_site
    cookie = {"Cookie": f"__Host-refresh_token={ODD_TOKEN}"}
    for answer in (
        client.post("/api/token/refresh", json={"refresh": ODD_TOKEN}),
        client.post("/api/token/verify", json={"token": ODD_TOKEN}),
        client.post("/oauth/revoke", data={"token": ODD_TOKEN}),
        client.get("/api/me", headers=cookie),
        client.get("/api/me", headers={"Authorization": f"Bearer {ODD_TOKEN}"}),
    ):
        assert answer.status_code == 401


def test_the_app_gets_the_events_of_identity_providers(documented_site):
    client, _ = documented_site
    sent = {"Content-Type": "application/secevent+jwt"}
    # The site of these tests has no such view.
    assert client.post("/providers/events", content="a.b.c", headers=sent).status_code == 404


def test_proofs_pass(documented_site):
    client, _ = documented_site
    key = Key()
    proof = {"DPoP": key.proof("POST", f"{SITE}/api/login")}
    token = client.post("/api/login", json=ALICE, headers=proof).json()["access_token"]
    proof = {"DPoP": key.proof("GET", f"{SITE}/api/me", token)}
    answer = client.get("/api/me", headers=proof | {"Authorization": f"DPoP {token}"})
    assert answer.status_code == 200


def test_its_logs_have_no_passwords_and_no_tokens(documented_site):
    client, folder = documented_site
    _, bearer = signed_in(client)
    client.post("/api/login", json={**ALICE, "password": "mistyped"})
    client.post("/api/login", json={**ALICE, "password": ODD_PASSWORD})
    client.post("/api/token/refresh", json={"refresh": "a.used.token"})
    client.get("/api/sessions/unknown?x=<script>alert(1)</script>", headers=bearer)
    text = kept(folder)
    assert "941110" in text
    for secret in ("mistyped", ODD_PASSWORD, "a.used.token", bearer["Authorization"], "__Host-"):
        assert secret not in text
