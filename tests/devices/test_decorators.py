"""Guards of Django's own views: functions and classes, synchronous and asynchronous, tokens and cookies."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.http import JsonResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page

from devices.decorators import recently_confirmed, session_required
from devices.models import DeviceSession
from devices.testing import sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def answer(request):
    return JsonResponse({"user": request.user.email, "session": str(request.auth.pk)})


@session_required
def function(request):
    return answer(request)


@session_required
async def later(request):
    return answer(request)


@method_decorator(session_required, name="dispatch")
class Class(View):
    def post(self, request):
        return answer(request)


@method_decorator(session_required, name="dispatch")
class Later(View):
    async def post(self, request):
        return answer(request)


class Bare(View):
    async def post(self, request):
        return answer(request)


@recently_confirmed
def recent(request):
    return answer(request)


@recently_confirmed(within=timedelta(minutes=5))
async def recent_later(request):
    return answer(request)


VIEWS = {
    "function": function,
    "later": later,
    "class": Class.as_view(),
    "class_later": Later.as_view(),
    # A coroutine function by a mark, which Python 3.11 itself does not know.
    "wrapped_later": session_required(Bare.as_view()),
    "recent": recent,
    "recent_later": recent_later,
}
urlpatterns = [path(name, view) for name, view in VIEWS.items()]
urlpatterns.append(path("kept", cache_page(60)(function)))


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_token_opens_the_view_until_its_session_ends(view, alice):
    client = Client(enforce_csrf_checks=True)
    unknown = client.post(f"/{view}")
    assert refusal(unknown) == (401, "session_required")
    assert unknown["WWW-Authenticate"] == 'Bearer realm="api"'
    session = sign_in(client, alice)
    opened = client.post(f"/{view}")
    assert opened.json() == {"user": "alice@example.org", "session": str(session.pk)}
    assert "Authorization" in opened["Vary"], "a browser keeps it for the next person"
    DeviceSession.objects.update(revoked_at=session.created_at, revoke_reason="user")
    ended = client.post(f"/{view}")
    assert refusal(ended) == (401, "session_revoked")
    assert ended["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


@pytest.mark.parametrize("by_cookie", [False, True], ids=["token", "cookie"])
def test_what_a_cache_keeps_is_for_who_asked(alice, mallory, by_cookie):
    def ask(client):
        return client.get("/kept")

    clients = [Client(), Client()]
    for client, user in zip(clients, (alice, mallory), strict=True):
        sign_in(client, user, cookie=by_cookie)
    told = [ask(client).json()["user"] for client in (*clients, *clients)]
    assert told == [alice.email, mallory.email] * 2
    assert refusal(ask(Client())) == (401, "session_required")


@pytest.mark.parametrize("view", VIEWS)
def test_a_cookie_opens_it_with_a_csrf_token_only(view, alice, settings):
    client = Client(enforce_csrf_checks=True)
    sign_in(client, alice, cookie=True)
    assert refusal(client.post(f"/{view}")) == (403, "csrf_failed")
    client.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    with_token = client.post(f"/{view}", headers={"X-CSRFToken": "a" * 32})
    assert with_token.json()["user"] == "alice@example.org"


@pytest.mark.parametrize("view", ["recent", "recent_later"])
def test_a_stale_proof_is_challenged(view, alice):
    client = Client()
    session = sign_in(client, alice)
    stale = session.created_at - timedelta(days=1)
    DeviceSession.objects.update(authenticated_at=stale, mfa_at=None)
    refused = client.post(f"/{view}")
    assert refusal(refused) == (401, "insufficient_user_authentication")
    assert "max_age=" in refused["WWW-Authenticate"]


@pytest.mark.parametrize("view", ["function", "later", "recent"])
def test_a_person_is_sent_to_sign_in_and_to_confirm(view, alice, settings):
    settings.LOGIN_URL = "/sign-in"
    page = {"Accept": "text/html,*/*;q=0.8"}
    asked = Client().get(f"/{view}", headers=page)
    assert asked.status_code == 302 and asked["Location"].startswith("/sign-in?next=")


def test_an_asynchronous_server_is_served_the_same(alice):
    client = AsyncClient()
    session = sign_in(client, alice)
    for view in VIEWS:
        opened = async_to_sync(client.post)(f"/{view}")
        assert opened.json()["session"] == str(session.pk), view
