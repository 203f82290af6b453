"""The adapters: what a service answers with a good token, with a bad one, and while it knows too little."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from devices_verifier import NotReady, TokenRefused, VerifierError
from devices_verifier.bearer import bearer_token
from devices_verifier.django import bearer_required
from django.http import HttpResponse
from django.test import RequestFactory

pytestmark = pytest.mark.own_database


class Knows:
    """A verifier that knows one token."""

    def verify(self, token):
        if token == "stale":
            raise NotReady
        if token != "good":
            raise TokenRefused("session_revoked" if token == "ended" else "token_not_valid")
        return {"user_id": "7"}

    def watch(self, token):
        self.verify(token)
        return self.demand_active

    def demand_active(self):
        """The session of every open connection is active."""


REFUSED = [
    "",
    "good",
    "Basic good",
    "Bearer",
    "Bearer ",
    "Bearer good good",
    "Bearer bad",
    "Bearer  good",
]


@pytest.mark.parametrize("header", REFUSED[:-2])
def test_one_bearer_token_is_read_and_nothing_else(header):
    with pytest.raises(TokenRefused):
        bearer_token(header)
    assert bearer_token("bearer abc") == bearer_token(" Bearer abc ") == "abc"


def assert_answers(ask):
    """ask(header): status, headers and body of what a view answers."""
    status, headers, body = ask("Bearer good")
    assert (status, body) == (200, '{"user": "7"}')
    for header in REFUSED:
        status, headers, body = ask(header)
        assert (status, "token_not_valid" in body) == (401, True), header
        assert headers["www-authenticate"] == 'Bearer error="invalid_token"'
    status, headers, body = ask("Bearer ended")
    assert (status, "session_revoked" in body) == (401, True)
    status, headers, body = ask("Bearer stale")
    assert (status, headers["retry-after"], "unavailable" in body) == (503, "1", True)


def test_a_view_of_django_asks_for_a_token():
    @bearer_required(Knows())
    def view(request):
        return HttpResponse(json.dumps({"user": request.claims["user_id"]}))

    def ask(header):
        given = {"HTTP_AUTHORIZATION": header} if header else {}
        answer = view(RequestFactory().get("/", **given))
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status_code, headers, answer.content.decode()

    assert_answers(ask)


def over_asgi(app):
    def ask(header):
        async def get():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
                return await client.get("/", headers={"Authorization": header} if header else {})

        answer = asyncio.run(get())
        return answer.status_code, answer.headers, answer.text.replace('":"', '": "')

    return ask


def test_a_dependency_of_fastapi_asks_for_a_token():
    fastapi = pytest.importorskip("fastapi")
    from devices_verifier.starlette import Bearer

    app, claims_of = fastapi.FastAPI(), fastapi.Depends(Bearer(Knows()))

    @app.get("/")
    async def view(claims: Any = claims_of) -> dict[str, str]:
        return {"user": claims["user_id"]}

    assert_answers(over_asgi(app))


def test_a_middleware_of_starlette_asks_for_a_token():
    pytest.importorskip("starlette")
    from devices_verifier.starlette import VerifierMiddleware
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute

    async def view(request):
        return JSONResponse({"user": request.state.claims["user_id"]})

    async def health(request):
        return JSONResponse({})

    async def socket(websocket):
        raise AssertionError("somebody was let in")

    app = Starlette(
        routes=[Route("/", view), Route("/healthz", health), WebSocketRoute("/ws", socket)],
        middleware=[Middleware(VerifierMiddleware, verifier=Knows(), exempt=("/healthz",))],
    )
    assert_answers(over_asgi(app))

    async def open_socket():
        sent = []
        scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b""}

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent

    [closed] = asyncio.run(open_socket())
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)

    async def get_health():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
            return await client.get("/healthz")

    assert asyncio.run(get_health()).status_code == 200


@pytest.fixture
def over_socket(monkeypatch):
    """over_socket(application, verifier): what is sent while a client waits that has sent its handshake."""
    pytest.importorskip("starlette")
    from devices_verifier import starlette

    monkeypatch.setattr(starlette, "PAUSE", 0.01)

    def run(application, verifier):
        async def play():
            sent, waiting = [], [{"type": "websocket.connect"}]
            headers = [(b"authorization", b"Bearer good")]
            scope = {"type": "websocket", "path": "/", "headers": headers, "query_string": b""}

            async def receive():
                return waiting.pop() if waiting else await asyncio.Event().wait()

            async def send(message):
                sent.append(message)

            middleware = starlette.VerifierMiddleware(application, verifier)
            await asyncio.wait_for(middleware(scope, receive, send), 10)
            return sent

        return asyncio.run(play())

    return run


class Ends(Knows):
    """A verifier whose session ends at the second look, or of which no more is known then."""

    def __init__(self, error):
        self.errors = [None, error]

    def demand_active(self):
        if (error := self.errors.pop(0)) is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "code"), [(TokenRefused("session_revoked"), 4401), (NotReady(), 1013)]
)
def test_an_open_websocket_is_closed_when_its_session_ends(over_socket, error, code):
    ended = []

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await receive()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    accepted, closed = over_socket(application, Ends(error))
    assert accepted["type"] == "websocket.accept"
    assert closed == {"type": "websocket.close", "code": code, "reason": error.code}
    assert ended == ["cancelled"]


def test_an_application_that_closes_its_websocket_itself_has_the_last_word(over_socket):
    async def leaves(scope, receive, send):
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    async def closes_when_cancelled(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            await send({"type": "websocket.close", "code": 1001})

    async def fails(scope, receive, send):
        raise LookupError

    assert [each["code"] for each in over_socket(leaves, Knows())] == [1000]
    ends = Ends(TokenRefused("session_revoked"))
    assert [each["code"] for each in over_socket(closes_when_cancelled, ends)] == [1001]
    with pytest.raises(LookupError):
        over_socket(fails, Knows())


def test_each_refusal_has_a_code_and_a_status():
    for error in (NotReady(), TokenRefused()):
        assert isinstance(error, VerifierError)
        assert error.code and error.status in (401, 503)


def test_what_the_application_itself_raises_over_a_websocket_is_its_own_affair(over_socket):
    async def application(scope, receive, send):
        raise TokenRefused("session_revoked")

    with pytest.raises(TokenRefused):
        over_socket(application, Ends(None))
