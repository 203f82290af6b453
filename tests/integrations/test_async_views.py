"""Asynchronous views of adrf, and GraphQL by strawberry: opened by token or cookie until the session ends."""

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

pytest.importorskip("adrf", reason="needs the package adrf: make test-integrations")
pytest.importorskip("strawberry", reason="needs strawberry-graphql: make test-integrations")

import strawberry  # noqa: E402
from adrf.decorators import api_view as async_api_view  # noqa: E402
from adrf.views import APIView  # noqa: E402
from asgiref.sync import async_to_sync, sync_to_async  # noqa: E402
from channels.testing import WebsocketCommunicator  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from strawberry.channels import GraphQLWSConsumer  # noqa: E402
from strawberry.django.views import AsyncGraphQLView, GraphQLView  # noqa: E402

from devices import shortcuts  # noqa: E402
from devices.contrib.channels import DeviceAuthMiddleware  # noqa: E402
from devices.core import tokens  # noqa: E402
from devices.decorators import session_required  # noqa: E402
from devices.exceptions import TooManyAttempts  # noqa: E402
from devices.permissions import RecentlyConfirmed  # noqa: E402
from devices.testing import sign_in  # noqa: E402
from project import urls as site  # noqa: E402


class Adrf(APIView):
    async def get(self, request):
        session = shortcuts.get_session(request)
        return Response({"user": request.user.pk, "session": str(session.pk)})


class Sensitive(APIView):
    permission_classes = (RecentlyConfirmed,)

    async def get(self, request):
        return Response({"user": request.user.pk})


@async_api_view(["GET"])
async def adrf_function(request):
    return Response({"user": request.user.pk, "session": str(request.auth.pk)})


@strawberry.type
class Query:
    @strawberry.field
    def me(self, info: strawberry.Info) -> str:
        request = info.context.request
        return f"{request.user.pk} {shortcuts.get_session(request).pk}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def sessions(self, info: strawberry.Info) -> AsyncGenerator[str, None]:
        yield str(info.context["request"].scope["device_session"].pk)
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()


@strawberry.type
class Mutation:
    @strawberry.mutation
    def pay(self, info: strawberry.Info) -> bool:
        shortcuts.require_confirmation(info.context.request)
        return True

    @strawberry.mutation
    def guess(self, info: strawberry.Info) -> bool:
        raise TooManyAttempts(retry_after=60)


# Set when the subscription that is open has been cancelled.
ended = threading.Event()
schema = strawberry.Schema(Query, mutation=Mutation, subscription=Subscription)

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]
urlpatterns = [
    path("adrf", Adrf.as_view()),
    path("adrf-function", adrf_function),
    path("sensitive", Sensitive.as_view()),
    path("graphql", session_required(GraphQLView.as_view(schema=schema))),
    path("async-graphql", session_required(AsyncGraphQLView.as_view(schema=schema))),
    *site.urlpatterns,
]


class Caller:
    """A client under WSGI or ASGI."""

    def __init__(self, kind, user, cookie=False):
        self.client = kind()
        self.session = sign_in(self.client, user, cookie=cookie)

    def call(self, method, *args, **kwargs):
        given = getattr(self.client, method)
        if isinstance(self.client, AsyncClient):
            given = async_to_sync(given)
        return given(*args, **kwargs)


@pytest.fixture(params=[Client, AsyncClient], ids=["WSGI", "ASGI"])
def kind(request):
    return request.param


@pytest.mark.parametrize("path", ["/adrf", "/adrf-function"])
def test_views_of_adrf_are_opened_until_the_session_ends(make_user, kind, path):
    alice = make_user()
    caller = Caller(kind, alice)
    answer = caller.call("get", path)
    assert answer.json() == {"user": alice.pk, "session": str(caller.session.pk)}
    shortcuts.end_session(caller.session)
    answer = caller.call("get", path)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")


def test_a_sensitive_view_of_adrf_asks_for_a_recent_proof(make_user, kind, settings):
    caller = Caller(kind, make_user())
    assert caller.call("get", "/sensitive").status_code == 200
    caller.session.__class__.objects.update(authenticated_at="2020-01-01T00:00Z", mfa_at=None)
    answer = caller.call("get", "/sensitive")
    assert answer.json()["code"] == "insufficient_user_authentication"


@pytest.mark.parametrize("path", ["/graphql", "/async-graphql"])
@pytest.mark.parametrize("cookie", [False, True], ids=["token", "cookie"])
def test_graphql_is_opened_until_the_session_ends(make_user, kind, path, cookie):
    alice = make_user()
    caller = Caller(kind, alice, cookie)

    def ask():
        query = {"query": "{ me }"}
        return caller.call("post", path, query, content_type="application/json")

    assert ask().json()["data"] == {"me": f"{alice.pk} {caller.session.pk}"}
    shortcuts.end_session(caller.session)
    assert ask().status_code == 401


def test_what_a_resolver_of_graphql_refuses_has_its_code(make_user):
    caller = Caller(Client, make_user())

    def ask(name):
        query = {"query": f"mutation {{ {name} }}"}
        return caller.call("post", "/graphql", query, content_type="application/json").json()

    assert ask("pay")["data"] == {"pay": True}
    caller.session.__class__.objects.update(authenticated_at="2020-01-01T00:00Z", mfa_at=None)
    codes = [ask(name)["errors"][0].get("extensions") for name in ("pay", "guess")]
    assert codes == [
        {"code": "insufficient_user_authentication"},
        {"code": "throttled", "retry_after": 60},
    ]


def test_a_subscription_of_graphql_ends_with_the_session(make_user):
    session = sign_in(Client(), make_user())
    application = DeviceAuthMiddleware(GraphQLWSConsumer.as_asgi(schema=schema))
    offered = ["graphql-transport-ws", "bearer", tokens.issue(session).access]
    query = {"query": "subscription { sessions }"}
    ended.clear()

    async def play():
        socket = WebsocketCommunicator(application, "/graphql", subprotocols=offered)
        assert await socket.connect(timeout=20) == (True, "graphql-transport-ws")
        await socket.send_json_to({"type": "connection_init"})
        assert (await socket.receive_json_from(20))["type"] == "connection_ack"
        await socket.send_json_to({"id": "1", "type": "subscribe", "payload": query})
        told = await socket.receive_json_from(20)
        assert told["payload"]["data"] == {"sessions": str(session.pk)}
        await sync_to_async(shortcuts.end_session)(session)
        closed = await socket.receive_output(20)
        await socket.wait(20)
        return closed["code"], closed["reason"]

    assert async_to_sync(play)() == (4401, "session_revoked")
    assert ended.is_set()
