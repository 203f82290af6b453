"""Behind the proxies as documented, a client has its own address, whatever it says of it."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.client import PASSWORD
from tests.dpop import Key
from tests.ports import free_port

from .servers import (
    KEY,
    PROXIES,
    certificate,
    client_at,
    environment,
    gunicorn,
    migrate,
    proxy,
    running,
)

pytestmark = pytest.mark.own_database

EMAIL = "alice@example.org"
FORGED = {
    "nothing": [],
    "an address": [("X-Forwarded-For", "9.9.9.9")],
    "a word": [("X-Forwarded-For", "x")],
    "nobody": [("X-Forwarded-For", "unknown")],
    "emptiness": [("X-Forwarded-For", "")],
    "the proxy": [("X-Forwarded-For", "9.9.9.9, 127.0.0.1")],
    "a Unix socket": [("X-Forwarded-For", "9.9.9.9, unix:")],
    "a quote": [("X-Forwarded-For", '"')],
    "two lines": [("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-For", "127.0.0.1")],
    "an underscore": [("X_Forwarded_For", "9.9.9.9")],
    "a thousand proxies": [("X-Forwarded-For", "127.0.0.1, " * 300 + "127.0.0.1")],
    "RFC 7239": [("Forwarded", "for=9.9.9.9")],
    "other headers": [("X-Real-IP", "9.9.9.9"), ("CF-Connecting-IP", "9.9.9.9")],
}

BREAKS_OFF = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/csv")])
    yield b"half of a file"
    raise RuntimeError("The database does not answer.")
"""


@pytest.fixture(scope="module")
def folder():
    # A user of nginx's own has to reach the socket in it.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        certificate(Path(name))
        migrate(environment(Path(name)))
        yield Path(name)


@pytest.fixture(
    scope="module",
    params=[(kind, way) for kind in PROXIES for way in ("TCP", "Unix socket")],
    ids=" over ".join,
)
def site(request, folder):
    kind, way = request.param
    upstream = free_port() if way == "TCP" else folder / f"{kind}.sock"
    with ExitStack() as stack:
        stack.enter_context(gunicorn(folder, upstream, environment(folder)))
        url = stack.enter_context(proxy(kind, folder, upstream))
        with client_at(url) as client:
            client.post("/api/register", json={"email": EMAIL, "password": PASSWORD})
        yield url


@pytest.fixture
def address(request, site, folder):
    """One that nobody has used yet; tests count in a file."""
    counter = folder / "addresses"
    number = int(counter.read_text()) + 1 if counter.exists() else 2
    counter.write_text(str(number))
    return f"127.0.{number}.7"


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_a_session_has_the_address_of_the_client(site, address, headers):
    with client_at(site, address) as client:
        answer = client.post(
            "/api/login", json={"email": EMAIL, "password": PASSWORD}, headers=headers
        )
        assert answer.status_code == 200
        bearer = ("Authorization", f"Bearer {answer.json()['access_token']}")
        seen = client.get("/api/sessions/current", headers=[bearer, *headers]).json()
    assert (seen["ip_address"], seen["last_ip"]) == (address, address)


@pytest.mark.parametrize("key", [KEY, "another", None], ids=["right", "wrong", "none"])
def test_a_front_end_states_the_address_with_the_key_alone(folder, key):
    visitor = "203.0.113.7"
    headers = {"X-Forwarded-For": visitor} | ({"X-Front-End-Key": key} if key else {})
    upstream = free_port()
    with (
        gunicorn(folder, upstream, environment(folder)),
        proxy("nginx-with-key", folder, upstream) as url,
        client_at(url) as client,
    ):
        person = {"email": f"{key}@example.org"[-40:], "password": PASSWORD}
        token = client.post("/api/register", json=person, headers=headers).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        seen = client.get("/api/sessions/current", headers=bearer).json()["ip_address"]
    assert seen == (visitor if key == KEY else "127.0.0.1")


def test_a_proof_names_the_address_that_the_client_asked(site, address):
    """The client knows the proxy, and the site what the proxy hands on (DPoP)."""
    key = Key()
    with client_at(site, address) as client:

        def ask(method, path, token=None, **body):
            headers = {"DPoP": key.proof(method, f"https://api.example.org{path}", token)}
            if token:
                headers["Authorization"] = f"DPoP {token}"
            return client.request(method, f"{path}?x=1", headers=headers, json=body or None)

        login = ask("POST", "/api/login", email=EMAIL, password=PASSWORD)
        assert login.json()["token_type"] == "DPoP"
        token = login.json()["access_token"]
        assert ask("GET", "/api/me", token).status_code == 200
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/me", headers=bearer).status_code == 401


def test_no_header_gives_more_guesses(site, address):
    with client_at(site, address) as client:
        answers = [
            client.post(
                "/api/login",
                # An account has a limit of its own.
                json={"email": f"user{number}-{address}@example.org", "password": "wrong"},
                headers=[*headers, ("X-Forwarded-For", f"9.9.9.{number}")],
            ).status_code
            for number, headers in enumerate(FORGED.values())
        ]
    assert answers == [401] * 10 + [429] * (len(FORGED) - 10)
    with client_at(site, address.replace(".7", ".8")) as somebody_else:
        right = {"email": EMAIL, "password": PASSWORD}
        assert somebody_else.post("/api/login", json=right).status_code == 200


# Caddy 2.6 makes it one, as the document says.
@pytest.mark.parametrize("kind", sorted(PROXIES.keys() - {"caddy"}))
def test_a_download_that_breaks_off_is_not_a_whole_one(kind, tmp_path):
    certificate(tmp_path)
    (tmp_path / "broken.py").write_text(BREAKS_OFF)
    upstream = free_port()
    command = [sys.executable, "-m", "gunicorn", "broken:app", "--bind", f"127.0.0.1:{upstream}"]
    command += ["--pythonpath", str(tmp_path), "--no-control-socket"]
    with ExitStack() as stack:
        stack.enter_context(running(command, tmp_path / "broken.log", upstream))
        url = stack.enter_context(proxy(kind, tmp_path, upstream))
        client = stack.enter_context(client_at(url))
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/")
