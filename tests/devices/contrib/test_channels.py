"""Who opens a WebSocket, as an ASGI server sees it. With real servers and Channels: tests/integrations."""

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as project

from devices import shortcuts
from devices.contrib.channels import DeviceAuthMiddleware
from devices.core.sessions import watcher
from devices.models import DeviceSession
from devices.testing import sign_in
from tests.bus import wait_for
from tests.dbsc import BoundBrowser
from tests.devices.web.test_cookie import Browser
from tests.dpop import DPoPDevice, Key

# The thread that watches has a connection of its own: it sees nothing of a transaction around the test.
pytestmark = pytest.mark.django_db(transaction=True)

HOST = "devices.test"


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    wait_for(lambda: watcher._watcher._thread is None)


async def application(scope, receive, send):
    """Says who is there, and what it is told, until the socket is closed."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None})
    session = scope["device_session"]
    await send(
        {
            "type": "websocket.send",
            "user": scope["user"].pk,
            "session": session and session.pk,
            "offered": scope["subprotocols"],
            "header": dict(scope["headers"]).get(b"sec-websocket-protocol"),
        }
    )
    message = await receive()
    while message["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
        message = await receive()
    # It is too late: nobody shall hear this.
    await send({"type": "websocket.send", "text": "secret"})


def play(story, subprotocols=(), scheme="wss", **headers):
    """Let a client play its part: `await story(socket)`, after its handshake."""

    async def run():
        given = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if subprotocols:
            given["sec-websocket-protocol"] = ", ".join(subprotocols)
        scope = {
            "type": "websocket",
            "path": "/feed",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "subprotocols": list(subprotocols),
            "client": ["203.0.113.7", 5000],
            "server": [HOST, 443],
            **({"scheme": scheme} if scheme else {}),
        }
        socket = ApplicationCommunicator(DeviceAuthMiddleware(application), scope)
        await socket.send_input({"type": "websocket.connect"})
        await story(socket)
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait()

    async_to_sync(run)()


def greeting(subprotocols=(), scheme="wss", **headers):
    """What the server answers first, and then."""
    came = []

    async def story(socket):
        for _ in range(2):
            came.append(await socket.receive_output(5))
            if came[-1]["type"] == "websocket.close":
                return

    play(story, subprotocols, scheme, **headers)
    return came


REFUSED = {"type": "websocket.close"}


def test_nobody_is_anonymous(db):
    accepted, said = greeting()
    assert accepted == {"type": "websocket.accept", "subprotocol": None}
    assert (said["user"], said["session"], said["offered"]) == (None, None, [])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"subprotocols": ["bearer", "x.y.z"]}, "token_not_valid"),
        ({"authorization": "Bearer x.y.z"}, "token_not_valid"),
        ({"authorization": "Bearer"}, "token_not_valid"),
        ({"subprotocols": ["bearer", "\xe4"]}, "token_not_valid"),
    ],
)
def test_what_is_no_token_is_told_so(db, given, reason):
    accepted, closed = greeting(**given)
    assert accepted["type"] == "websocket.accept"
    assert closed == {"type": "websocket.close", "code": 4401, "reason": reason}


def test_a_token_of_an_ended_session_is_told_so(alice, sign_in):
    phone = sign_in(alice)
    phone.post("/api/logout")
    _, closed = greeting(["bearer", phone.access])
    assert (closed["code"], closed["reason"]) == (4401, "session_revoked")


@pytest.mark.parametrize("how", ["protocol", "header"])
def test_a_bound_token_opens_a_socket_with_a_proof_of_its_key_alone(alice, how):
    phone = DPoPDevice().sign_in(alice.email)
    url = f"wss://{HOST}/feed?x=1"

    def opens(key, scheme="dpop", **others):
        proof = key.proof("GET", url, phone.access, **others) if key else ""
        if how == "protocol":
            given = {"subprotocols": [scheme, phone.access, *([proof] if proof else [])]}
        else:
            given = {
                "authorization": f"{scheme} {phone.access}",
                **({"dpop": proof} if proof else {}),
            }
        accepted, said = greeting(**given)
        if said["type"] == "websocket.close":
            return said["reason"]
        assert accepted["subprotocol"] == ("dpop" if how == "protocol" else None)
        return said["session"]

    session_id = DeviceSession.objects.get().pk
    assert opens(phone.key) == session_id
    assert opens(Key()) == "token_not_valid"
    assert opens(None, "bearer") == "token_not_valid"
    assert opens(phone.key, htu=f"wss://{HOST}/elsewhere") == "invalid_dpop_proof"
    assert opens(phone.key, ath="x") == "invalid_dpop_proof"


@pytest.mark.parametrize("how", ["protocol", "header"])
def test_a_token_that_is_bound_to_nothing_opens_none_as_a_bound_one(alice, sign_in, how):
    """Its client believes that it is bound."""
    phone = sign_in(alice)
    proof = Key().proof("GET", f"wss://{HOST}/feed", phone.access)
    if how == "protocol":
        given = {"subprotocols": ["dpop", phone.access, proof]}
    else:
        given = {"authorization": f"DPoP {phone.access}", "dpop": proof}
    _, closed = greeting(**given)
    assert closed == {"type": "websocket.close", "code": 4401, "reason": "token_not_valid"}


def test_a_token_in_the_url_opens_nothing(alice, sign_in):
    phone = sign_in(alice)

    async def run():
        scope = {
            "type": "websocket",
            "path": "/feed",
            "query_string": f"token={phone.access}&access_token={phone.access}".encode(),
            "headers": [(b"host", HOST.encode())],
            "subprotocols": [],
        }
        socket = ApplicationCommunicator(DeviceAuthMiddleware(application), scope)
        await socket.send_input({"type": "websocket.connect"})
        await socket.receive_output(5)
        assert (await socket.receive_output(5))["user"] is None
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait()

    async_to_sync(run)()


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        f"https://{HOST}.evil.example",
        f"http://{HOST}",
        f"https://{HOST}:8443",
    ],
)
def test_a_page_of_another_site_opens_nothing_with_the_cookie(alice, origin):
    browser = Browser().sign_in(alice.email)
    cookie = browser.cookies[project.SESSION_COOKIE_NAME].OutputString().partition(";")[0]
    given = {"cookie": cookie} | ({"origin": origin} if origin else {})
    assert greeting(**given) == [REFUSED]


def test_one_over_plain_http_is_no_page_of_this_site_either(alice):
    browser = Browser().sign_in(alice.email)
    cookie = browser.cookies[project.SESSION_COOKIE_NAME].OutputString().partition(";")[0]
    # Servers leave the scheme out where it is ws.
    assert greeting(scheme=None, cookie=cookie, origin=f"https://{HOST}") == [REFUSED]


def test_other_kinds_of_connections_are_left_alone():
    seen = []

    async def inner(scope, receive, send):
        seen.append(scope)

    scope = {"type": "http", "path": "/"}
    async_to_sync(DeviceAuthMiddleware(inner))(scope, None, None)
    assert seen == [scope]


def test_the_cookie_of_a_bound_session_opens_nothing_without_the_other_one(make_user):
    browser = BoundBrowser().bind(make_user().email)
    browser.renew()

    def opened():
        cookies = "; ".join(f"{name}={each.value}" for name, each in browser.cookies.items())
        _, said = greeting(cookie=cookies, origin=f"https://{HOST}")
        return said["session"]

    assert opened() == browser.session_id
    browser.lose_cookie()
    assert opened() is None
    browser.renew()
    assert opened() == browser.session_id


@pytest.mark.parametrize("bearer", ["protocol", "header", "cookie"])
def test_who_is_signed_in_is_known_and_closed_at_the_end(make_user, bearer):
    alice, client = make_user(), Browser()
    session = sign_in(client, alice, cookie=bearer == "cookie")
    given = {
        "protocol": lambda: {
            "subprotocols": ["feed", "bearer", client.defaults["HTTP_AUTHORIZATION"].split()[1]]
        },
        "header": lambda: {"authorization": client.defaults["HTTP_AUTHORIZATION"]},
        "cookie": lambda: {
            "cookie": f"{project.SESSION_COOKIE_NAME}={client.session.session_key}",
            "origin": f"https://{HOST}",
        },
    }[bearer]()

    async def story(socket):
        accepted = await socket.receive_output(5)
        assert accepted["subprotocol"] == ("bearer" if bearer == "protocol" else None)
        said = await socket.receive_output(5)
        assert (said["user"], said["session"]) == (alice.pk, session.pk)
        assert said["offered"] == (["feed"] if bearer == "protocol" else [])
        assert said["header"] == (b"feed" if bearer == "protocol" else None)
        await socket.send_input({"type": "websocket.receive", "text": "hello"})
        assert (await socket.receive_output(5))["text"] == "hello"
        await sync_to_async(shortcuts.end_session)(session)
        closed = await socket.receive_output(2)
        assert closed == {
            "type": "websocket.close",
            "code": 4401,
            "reason": "session_revoked",
        }
        assert await socket.receive_nothing(0.1)

    play(story, **given)
