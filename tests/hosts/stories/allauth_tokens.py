"""allauth's endpoints with tokens of sessions, in a project that has its say on who signs in."""

from django.contrib import auth
from django.test import Client
from django.utils.functional import SimpleLazyObject

from .people import PASSWORD, Story, bearer, get

APP = "/_allauth/app/v1/auth"


class Watching:
    """Counts logins and finds nobody, as the backend of django-axes: it has no `get_user`."""

    def authenticate(self, request, **credentials):
        return None


class Guests:
    """Finds the user of a request anew, and keeps something of everybody in Django's session (wger)."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.user = SimpleLazyObject(lambda: auth.get_user(request))
        request.session.setdefault("is_guest", True)
        return self.get_response(request)


class Tokens(Story):
    def show(self, access, client=None):
        return (client or Client()).get(f"{APP}/session", headers=bearer(access))

    def test_tokens_of_the_api_open_allauth(self):
        access = self.sign_in()["access"]
        shown = self.show(access)
        self.assertEqual(shown.status_code, 200, shown.content)
        self.assertEqual(shown.json()["data"]["user"]["display"], "alice")
        self.assertEqual(get("/api/sessions", access).status_code, 200)

    def test_an_app_may_have_a_cookie_of_nobody_beside_its_token(self):
        app = Client()
        app.get("/api/sessions")
        self.assertIn("sessionid", app.cookies)
        given = {"username": "alice", "password": PASSWORD}
        answer = app.post(f"{APP}/login", given, content_type="application/json")
        self.assertEqual(answer.status_code, 200, answer.content)
        access = answer.json()["meta"]["access_token"]
        shown = self.show(access, app)
        self.assertEqual(shown.status_code, 200, shown.content)
