"""Asynchronous views of adrf, and GraphQL by strawberry: opened by token or cookie until the session ends."""

import pytest

pytest.importorskip("adrf", reason="needs the package adrf: make test-integrations")
pytest.importorskip("strawberry", reason="needs strawberry-graphql: make test-integrations")

import strawberry  # noqa: E402
from adrf.decorators import api_view as async_api_view  # noqa: E402
from adrf.views import APIView  # noqa: E402
from asgiref.sync import async_to_sync  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from strawberry.django.views import AsyncGraphQLView, GraphQLView  # noqa: E402

from devices import shortcuts  # noqa: E402
from devices.decorators import session_required  # noqa: E402
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


schema = strawberry.Schema(Query)

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
