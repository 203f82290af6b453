"""Django Ninja: operations that tokens and cookies of active sessions open, synchronous and asynchronous."""

import json
from datetime import timedelta

import pytest

pytest.importorskip("ninja", reason="needs the package django-ninja: make test-integrations")

from asgiref.sync import async_to_sync  # noqa: E402
from django.contrib.auth import authenticate  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from ninja import NinjaAPI  # noqa: E402

from devices import shortcuts  # noqa: E402
from devices.contrib.ninja import DeviceAuth, RecentlyConfirmed, handle_errors  # noqa: E402
from devices.models import DeviceSession  # noqa: E402
from devices.testing import sign_in  # noqa: E402
from project import urls as site  # noqa: E402
from tests.client import PASSWORD  # noqa: E402

api = NinjaAPI(auth=DeviceAuth(), urls_namespace="ninja")
handle_errors(api)


def said(request):
    session = shortcuts.get_session(request)
    return {"user": request.user.pk, "session": str(session.pk), "auth": str(request.auth.pk)}


@api.get("/me")
@api.post("/me")
def me(request):
    return said(request)


@api.get("/async")
async def me_later(request):
    return said(request)


@api.post("/transfer", auth=RecentlyConfirmed())
def transfer(request):
    return said(request)


@api.post("/async-transfer", auth=RecentlyConfirmed(within=timedelta(minutes=5)))
async def transfer_later(request):
    return said(request)


@api.get("/either", auth=[DeviceAuth(), lambda request: "another way"])
def either(request):
    return {"auth": str(request.auth)}


@api.post("/login", auth=None)
def login(request, email: str, password: str, otp: str = ""):
    user = authenticate(request, username=email, password=password)
    tokens = shortcuts.start_session(request, user, otp=otp)
    return {"access": tokens.access, "refresh": tokens.refresh}


pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]
urlpatterns = [path("ninja/", api.urls), *site.urlpatterns]


@pytest.fixture(params=["me", "async"])
def read(request):
    return f"/ninja/{request.param}"


@pytest.fixture(params=["token", "cookie"])
def by_cookie(request):
    return request.param == "cookie"


def test_a_token_or_a_cookie_opens_it_and_the_session_is_at_hand(make_user, read, by_cookie):
    alice, client = make_user(), Client()
    session = sign_in(client, alice, cookie=by_cookie)
    mine = str(session.pk)
    assert client.get(read).json() == {"user": alice.pk, "session": mine, "auth": mine}


def test_the_same_under_asgi(make_user, read):
    client = AsyncClient()
    session = sign_in(client, make_user())
    answer = async_to_sync(client.get)(read)
    assert answer.json()["session"] == str(session.pk)


def test_it_is_refused_at_the_next_request_after_the_end(make_user, read, by_cookie):
    client = Client()
    session = sign_in(client, make_user(), cookie=by_cookie)
    assert client.get(read).status_code == 200
    shortcuts.end_session(session)
    answer = client.get(read)
    assert answer.status_code == 401
    if not by_cookie:
        assert answer.json() == {
            "detail": "This session was signed out.",
            "code": "session_revoked",
        }
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_who_has_nothing_is_refused_or_left_to_the_next_way(db, read):
    refused = Client().get(read)
    assert refused.status_code == 401
    assert refused.json() == {"detail": "Unauthorized", "code": "not_authenticated"}
    assert refused["WWW-Authenticate"].startswith("Bearer")
    assert Client().get("/ninja/either").json() == {"auth": "another way"}
    answer = Client().get("/ninja/either", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_a_cookie_needs_djangos_csrf_token_to_change_something(make_user):
    client = Client(enforce_csrf_checks=True)
    sign_in(client, make_user(), cookie=True)
    assert client.get("/ninja/me").status_code == 200
    answer = client.post("/ninja/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    token = Client(enforce_csrf_checks=True)
    sign_in(token, make_user("bob@example.org"))
    assert token.post("/ninja/me").status_code == 200


@pytest.mark.parametrize("step", ["transfer", "async-transfer"])
def test_a_sensitive_step_asks_for_a_recent_proof(make_user, step, by_cookie):
    client = Client()
    sign_in(client, make_user(), cookie=by_cookie)
    assert client.post(f"/ninja/{step}").status_code == 200
    hour_ago = timezone.now() - timedelta(hours=1)
    DeviceSession.objects.update(authenticated_at=hour_ago, mfa_at=None)
    answer = client.post(f"/ninja/{step}")
    assert answer.status_code == 401
    assert answer.json()["code"] == "insufficient_user_authentication"
    max_age = 300 if step == "async-transfer" else 900
    assert f'max_age="{max_age}"' in answer["WWW-Authenticate"]


def test_a_login_of_ones_own_answers_refusals_and_counts_guesses(make_user, codes):
    alice = make_user()
    codes.codes[alice.pk] = ["100000"]

    def enter(ip="203.0.113.7", **given):
        query = {"email": alice.email, "password": PASSWORD, **given}
        return Client(REMOTE_ADDR=ip).post("/ninja/login", query_params=query)

    assert (enter().status_code, enter().json()["code"]) == (401, "otp_required")
    tokens = enter(otp="100000").json()
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    assert Client().get("/ninja/me", headers=headers).json()["user"] == alice.pk
    for _ in range(10):
        assert enter("192.0.2.1", password="wrong").json()["code"] == "no_active_account"
    blocked = enter("192.0.2.1")
    assert (blocked.status_code, blocked.json()["code"]) == (429, "throttled")
    assert int(blocked["Retry-After"]) > 0


def test_asking_who_is_calling_costs_one_query(make_user):
    client = Client()
    sign_in(client, make_user())
    client.get("/ninja/me")
    with CaptureQueriesContext(connection) as sent:
        assert client.get("/ninja/me").status_code == 200
    assert len(sent) == 1


def test_its_description_says_that_a_token_is_asked_for():
    described = json.loads(json.dumps(api.get_openapi_schema()))
    assert described["components"]["securitySchemes"]["DeviceAuth"] == {
        "type": "http",
        "scheme": "bearer",
    }
