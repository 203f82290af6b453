"""Channels on daphne and uvicorn: who opens a WebSocket, and that it is closed when the session ends."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from unittest.mock import ANY

import pytest

from tests.browser.visitor import CHROMIUM
from tests.bus import redis_server
from tests.client import PASSWORD

pytest.importorskip("channels", reason="needs the package channels: make test-integrations")
pytest.importorskip("daphne", reason="needs the package daphne: make test-integrations")
pytest.importorskip("uvicorn", reason="needs the package uvicorn: make test-integrations")
pytest.importorskip("websockets", reason="needs the package websockets: make test-integrations")

from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from .server import serve  # noqa: E402

PEOPLE = [f"person{n}" for n in range(40)]
# Server, bus. Without PostgreSQL the second and third are skipped, and say so.
PLATFORMS = {
    "daphne, SQLite": ("daphne", False, ""),
    "uvicorn, PostgreSQL as the bus": ("uvicorn", True, "postgres"),
    "daphne, PostgreSQL, Redis as the bus": ("daphne", True, "redis"),
    "uvicorn, PostgreSQL without a bus": ("uvicorn", True, ""),
}


@pytest.fixture(scope="module")
def host(make_host):
    return make_host("channels_host")


@pytest.fixture(scope="module", params=PLATFORMS.values(), ids=PLATFORMS)
def site(request, host, postgres):
    server, on_postgres, bus = request.param
    database = postgres("channels") if on_postgres else ""
    with ExitStack() as stack:
        if bus == "redis":
            bus = f"redis://127.0.0.1:{stack.enter_context(redis_server()).port}/0"
        yield stack.enter_context(serve(host, server, "channels_host", PEOPLE, database, BUS=bus))


@pytest.fixture
def person(site, people):
    """Somebody who has not been here before."""
    return next(people)


@pytest.fixture(scope="module")
def people(site):
    return iter(PEOPLE)


def open_by_token(site, tokens, path="/feed"):
    return connect(f"ws://{site.address}{path}", subprotocols=["bearer", tokens["access"]])


def open_by_header(site, tokens, path="/feed"):
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    return connect(f"ws://{site.address}{path}", additional_headers=headers)


def cookie_of(site, name):
    with site.client() as client:
        answer = client.post("/login", data={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return f"sessionid={client.cookies['sessionid']}"


def open_by_cookie(site, cookie, path="/feed", origin=None):
    origin = origin or site.url
    return connect(
        f"ws://{site.address}{path}", origin=origin, additional_headers={"Cookie": cookie}
    )


def hello(socket):
    return json.loads(socket.recv(timeout=5))


def end_of(socket, seconds=1.0):
    """(code, reason) by which a socket is closed within this time."""
    began = time.monotonic()
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=5)
    assert time.monotonic() - began < seconds
    # Daphne sends no reason.
    return closed.value.rcvd.code, closed.value.rcvd.reason or ANY


def test_who_has_a_token_or_a_cookie_is_known(site, person):
    tokens = site.sign_in(person)
    for opened in (open_by_token(site, tokens), open_by_header(site, tokens)):
        with opened as socket:
            said = hello(socket)
            assert (said["user"], said["session"]) == (person, tokens["session_id"])
    with open_by_cookie(site, cookie_of(site, person)) as socket:
        assert hello(socket)["user"] == person
    with connect(f"ws://{site.address}/feed") as socket:
        assert hello(socket)["user"] == ""


def test_the_application_does_not_see_the_token_and_chooses_its_own_protocol(site, person):
    tokens = site.sign_in(person)
    with open_by_token(site, tokens) as socket:
        assert socket.subprotocol == "bearer"
        assert hello(socket)["subprotocols"] == []
    for offered in (["feed", "bearer", tokens["access"]], ["bearer", tokens["access"], "feed"]):
        with connect(f"ws://{site.address}/feed", subprotocols=offered) as socket:
            assert socket.subprotocol == "feed"
            assert hello(socket)["subprotocols"] == ["feed"]


def test_a_token_that_is_refused_is_told_why(site, person):
    tokens = site.sign_in(person)
    with site.bearer(tokens) as client:
        assert client.delete("/api/sessions/current").status_code == 204
    with open_by_token(site, tokens) as socket:
        assert end_of(socket) == (4401, "session_revoked")
    with open_by_header(site, {"access": "x.y.z"}) as socket:
        assert end_of(socket) == (4401, "token_not_valid")
    for nonsense in ("x", tokens["refresh"], tokens["access"][:-2]):
        with open_by_token(site, {"access": nonsense}) as socket:
            assert end_of(socket) == (4401, "token_not_valid")


def test_a_page_of_another_site_opens_nothing_with_the_cookie(site, person):
    cookie = cookie_of(site, person)
    for origin in (
        "https://evil.example",
        "null",
        site.url.replace("127.0.0.1", "127.0.0.1.evil.example"),
    ):
        with pytest.raises(InvalidStatus) as refused, open_by_cookie(site, cookie, origin=origin):
            pass
        assert refused.value.response.status_code == 403


def revoke(site, name, tokens):
    # Not the one used last, which just signed in.
    with site.bearer(site.sign_in(name)) as client:
        answer = client.delete(f"/api/sessions/{tokens['session_id']}")
        assert answer.status_code == 204, answer.text


def sign_out(site, name, tokens):
    with site.client() as client:
        answer = client.post("/api/token/blacklist", json={"refresh": tokens["refresh"]})
        assert answer.status_code == 200, answer.text


def reuse(site, name, tokens):
    """A copy of the refresh token comes after its successor was used."""
    with site.client() as client:
        refreshed = client.post("/api/token/refresh", json={"refresh": tokens["refresh"]}).json()
        client.post("/api/token/refresh", json={"refresh": refreshed["refresh"]})
        site.sql("UPDATE devices_devicesession SET rotated_at = '2020-01-01 00:00:00+00'"
                 f" WHERE user_id = {user_id(site, name)}")  # fmt: skip
        client.post("/api/token/refresh", json={"refresh": refreshed["refresh"]})
        answer = client.post("/api/token/refresh", json={"refresh": tokens["refresh"]})
        assert answer.json()["code"] == "refresh_reused", answer.text


def change_password(site, name, tokens):
    with site.bearer(site.sign_in(name)) as client:
        assert client.post("/password").status_code == 200


def change_password_by_sql(site, name, tokens):
    site.sql(f"UPDATE auth_user SET password = 'md5$x$y' WHERE username = '{name}'")


def deactivate_by_sql(site, name, tokens):
    site.sql(f"UPDATE auth_user SET is_active = FALSE WHERE username = '{name}'")


def delete(site, name, tokens):
    with site.bearer(site.sign_in(name)) as client:
        assert client.post("/leave").status_code == 200


def delete_by_sql(site, name, tokens):
    site.sql(f"DELETE FROM devices_devicesession WHERE user_id = {user_id(site, name)}")


def user_id(site, name):
    [(found,)] = site.sql(f"SELECT id FROM auth_user WHERE username = '{name}'")
    return found


ENDS = [
    (revoke, "session_revoked"),
    (sign_out, "session_revoked"),
    (reuse, "session_revoked"),
    (change_password, "session_revoked"),
    (change_password_by_sql, "session_revoked"),
    (deactivate_by_sql, "session_revoked"),
    (delete, "token_not_valid"),
    (delete_by_sql, "token_not_valid"),
]


@pytest.mark.parametrize(("end", "reason"), ENDS, ids=[end.__name__ for end, _ in ENDS])
def test_open_sockets_are_closed_within_a_second_by_whatever_ends_the_session(
    site, person, end, reason, people
):
    tokens = site.sign_in(person)
    bystander = next(people)
    with (
        open_by_token(site, tokens) as one,
        open_by_header(site, tokens) as other,
        open_by_token(site, site.sign_in(bystander)) as stays,
    ):
        for socket in (one, other, stays):
            hello(socket)
        # Long enough that it is not the check after opening which finds it.
        time.sleep(0.2)
        end(site, person, tokens)
        assert end_of(one) == (4401, reason)
        assert end_of(other) == (4401, reason)
        stays.send('"still here"')
        assert json.loads(stays.recv(timeout=5)) == "still here"
        stays.send('"left"')
        told = [each["code"] for each in hello(stays)["left"] if each["user"] == person]
        assert told == [4401, 4401]


def test_that_of_a_cookie_is_closed_too(site, person):
    cookie = cookie_of(site, person)
    [(session_id,)] = site.sql(
        f"SELECT id FROM devices_devicesession WHERE user_id = {user_id(site, person)}"
    )
    session_id = uuid.UUID(str(session_id))
    with open_by_cookie(site, cookie) as socket:
        hello(socket)
        revoke(site, person, {"session_id": session_id})
        assert end_of(socket) == (4401, "session_revoked")
    with open_by_cookie(site, cookie) as socket:
        assert hello(socket)["user"] == ""


def test_a_socket_is_closed_when_its_session_expires(site, person):
    tokens = site.sign_in(person)
    soon = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + 3))
    # SQLite keeps the time as Django writes it, without its zone.
    soon = soon if site.database else soon.removesuffix("+00")
    site.sql(
        f"UPDATE devices_devicesession SET expires_at = '{soon}'"
        f" WHERE user_id = {user_id(site, person)}"
    )
    with open_by_token(site, tokens) as socket:
        hello(socket)
        assert end_of(socket, seconds=4.5) == (4401, "session_expired")


def test_a_cookie_whose_session_has_ended_opens_nothing_by_channels_own_middleware_either(
    site, person
):
    cookie = cookie_of(site, person)
    with open_by_cookie(site, cookie, path="/stock") as socket:
        assert hello(socket)["user"] == person
    [(session_id,)] = site.sql(
        f"SELECT id FROM devices_devicesession WHERE user_id = {user_id(site, person)}"
    )
    session_id = uuid.UUID(str(session_id))
    revoke(site, person, {"session_id": session_id})
    with open_by_cookie(site, cookie, path="/stock") as socket:
        assert hello(socket)["user"] == ""


def test_who_closes_first_is_forgotten(site, person):
    tokens = site.sign_in(person)
    with open_by_token(site, tokens) as socket:
        hello(socket)
    sign_out(site, person, tokens)
    with open_by_token(site, tokens) as socket:
        assert end_of(socket) == (4401, "session_revoked")


SCRIPT = """
async ([path, protocols]) => {
    const socket = new WebSocket(path, protocols);
    const said = [];
    socket.onmessage = ({ data }) => said.push(JSON.parse(data).user);
    return await new Promise((resolve) => {
        socket.onopen = () => { document.title = "open"; };
        socket.onclose = ({ code, reason }) =>
            resolve({ code, reason, said, protocol: socket.protocol });
    });
}
"""


def test_a_script_in_chromium_opens_one_and_is_told_of_the_end(site, person):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    tokens = site.sign_in(person)

    def journey():
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"{site.url}/healthy")
            address = [f"ws://{site.address}/feed", ["bearer", tokens["access"]]]
            page.evaluate(f"(given) => {{ window.told = ({SCRIPT})(given) }}", address)
            page.wait_for_function("document.title === 'open'")
            revoke(site, person, tokens)
            told = page.evaluate("window.told")
            browser.close()
            return told

    # A thread of its own: the driver has an event loop, in which Django asks no database.
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(journey).result(timeout=60)
    assert (told["code"], told["said"], told["protocol"]) == (4401, [person], "bearer")
    assert told["reason"] in ("session_revoked", "")
