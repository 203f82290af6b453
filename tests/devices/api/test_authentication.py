"""The authentication class, as host projects extend it."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.views.decorators.cache import cache_page
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework_simplejwt import authentication as simplejwt
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from devices.api import authentication
from devices.api.authentication import DeviceSessionAuthentication
from devices.api.errors import SessionDenied
from devices.core import sessions
from devices.exceptions import SessionUnverified
from devices.http import token_header
from devices.models import DeviceSession, RevokeReason


class OwnReading(DeviceSessionAuthentication):
    """Reads tokens by SimpleJWT's class, which knows nothing of sessions."""

    def get_validated_token(self, raw_token):
        return AccessToken(raw_token)


def test_the_user_of_a_token_that_a_subclass_read_is_the_session_s(alice, sign_in):
    phone = sign_in(alice)
    own = OwnReading()
    assert own.get_user(own.get_validated_token(phone.access)) == alice
    sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.USER)
    with pytest.raises(SessionDenied):
        own.get_user(own.get_validated_token(phone.access))


class FromAnotherHeader(DeviceSessionAuthentication):
    """A gateway has the Authorization header for itself."""

    def get_header(self, request):
        return request.META.get("HTTP_X_SESSION", "").encode()


@pytest.mark.parametrize(("scheme", "status"), [("Bearer", 200), ("bearer", 200), ("DPoP", 401)])
def test_a_subclass_may_read_another_header_and_its_scheme_counts(alice, sign_in, scheme, status):
    class View(APIView):
        authentication_classes = (FromAnotherHeader,)
        permission_classes = (IsAuthenticated,)

        def get(self, request):
            return Response(str(request.user.pk))

    headers = {"X-Session": f"{scheme} {sign_in(alice).access}", "Authorization": "Basic YTpi"}
    request = APIRequestFactory().get("/api/me", headers=headers)
    assert View.as_view()(request).status_code == status


class FromTheQuery(DeviceSessionAuthentication):
    """A header that is text, and without a scheme."""

    def get_header(self, request):
        return request.GET.get("token", "")

    def get_raw_token(self, header):
        return header.encode()


def test_a_subclass_may_have_a_header_without_a_scheme(alice, sign_in):
    request = Request(APIRequestFactory().get("/", {"token": sign_in(alice).access}))
    user, session = FromTheQuery().authenticate(request)
    assert user == alice
    assert session == DeviceSession.objects.get()


class PatientToken(Token):
    token_type = "patient"
    lifetime = timedelta(hours=1)


class OfPatients(DeviceSessionAuthentication):
    """Lets in people who have no account, by tokens that come with a code to a phone."""

    def authenticate(self, request):
        try:
            token = PatientToken(self.get_raw_token(self.get_header(request)))
        except TokenError as error:
            raise InvalidToken from error
        return AnonymousUser(), token


def test_a_subclass_may_be_for_tokens_of_another_kind(alice, sign_in):
    """As check E047 says: these need no session, and those of sessions are none of them."""

    def bearer(token):
        return Request(APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"}))

    _, token = OfPatients().authenticate(bearer(PatientToken()))
    assert token["token_type"] == "patient"
    with pytest.raises(InvalidToken):
        OfPatients().authenticate(bearer(sign_in(alice).access))


def test_a_request_without_a_token_is_of_nobody():
    assert FromAnotherHeader().authenticate(Request(APIRequestFactory().get("/"))) is None


def test_the_user_model_is_known_as_in_the_parent_class():
    assert DeviceSessionAuthentication().user_model is get_user_model()


class Configured(DeviceSessionAuthentication):
    def __init__(self, audience):
        super().__init__()
        self.audience, self.user_model = audience, DeviceSession


def test_a_subclass_may_set_the_user_model_itself():
    own = Configured("phones")
    assert (own.audience, own.user_model) == ("phones", DeviceSession)


class Mine(APIView):
    authentication_classes = (DeviceSessionAuthentication,)
    permission_classes = ()

    def get(self, request):
        return Response(request.user.pk)


def test_a_cache_does_not_give_one_person_what_another_was_answered(
    alice, mallory, sign_in, rf, settings
):
    view = cache_page(60)(Mine.as_view())

    def ask(**headers):
        response = view(rf.get("/mine", headers=headers)).render()
        return json.loads(response.content or "null"), response.get("Vary")

    tokens = [sign_in(each).access for each in (alice, mallory)]
    told = [ask(Authorization=f"Bearer {token}") for token in (*tokens, *tokens)]
    assert [*told, ask()] == [(pk, "Authorization") for pk in [alice.pk, mallory.pk] * 2 + [None]]
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN"}
    assert token_header() == "X-Access-Token"


def test_middleware_may_ask_with_a_request_of_django(alice, sign_in):
    request = RequestFactory().get(
        "/", headers={"Authorization": f"Bearer {sign_in(alice).access}"}
    )
    user, session = DeviceSessionAuthentication().authenticate(request)
    assert user == alice
    assert session == DeviceSession.objects.get()


def test_the_schemes_are_those_that_simplejwt_has_now(monkeypatch):
    """Its own tests import the module anew with other settings."""
    own = DeviceSessionAuthentication()
    assert own.get_raw_token(b"Bearer abc") == b"abc"
    monkeypatch.setattr(simplejwt, "AUTH_HEADER_TYPE_BYTES", {b"JWT"})
    assert own.get_raw_token(b"Bearer abc") is None
    assert own.get_raw_token(b"JWT abc") == b"abc"


class BehindAnotherClass(APIView):
    """DRF answers 403 in place of 401 where the first class has no challenge."""

    authentication_classes = (SessionAuthentication, DeviceSessionAuthentication)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response(request.user.pk)


def test_a_token_that_is_refused_is_401_behind_a_class_without_a_challenge(alice, sign_in, rf):
    """By 401 clients know that they have to refresh, or to sign in."""
    view = BehindAnotherClass.as_view()
    headers = {"Authorization": f"Bearer {sign_in(alice).access}"}
    assert view(rf.get("/mine", headers=headers)).status_code == 200
    sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.USER)
    refused = view(rf.get("/mine", headers=headers))
    assert (refused.status_code, refused.data["code"]) == (401, "session_revoked")
    assert refused["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    # Nothing was said that could be refused: it is up to the first class.
    assert view(rf.get("/mine")).status_code == 403


def test_an_outage_is_503_behind_a_class_without_a_challenge(alice, sign_in, rf, monkeypatch):
    def away(*_):
        raise SessionUnverified

    headers = {"Authorization": f"Bearer {sign_in(alice).access}"}
    monkeypatch.setattr(sessions, "authenticate", away)
    answer = BehindAnotherClass.as_view()(rf.get("/mine", headers=headers))
    assert (answer.status_code, answer.data["code"]) == (503, "unavailable")
    assert "Retry-After" in answer and "WWW-Authenticate" not in answer


class Link(Token):
    """A token of the project's own, for something else."""

    token_type = "link"
    lifetime = timedelta(minutes=1)


def test_the_log_says_once_where_code_makes_a_token_of_no_session(alice, caplog, monkeypatch):
    """As many packages do, in functions that no check finds."""
    monkeypatch.setattr(authentication, "_told", set())
    for _ in range(2):
        assert "session_id" not in RefreshToken.for_user(alice)
    Link.for_user(alice)
    (said,) = (record.getMessage() for record in caplog.records if record.name == "devices")
    assert f"{__file__}:" in said
    assert "start_session" in said
    AccessToken.for_user(alice)
    assert len(caplog.records) == 2
