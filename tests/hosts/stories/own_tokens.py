"""Code that handles SimpleJWT's tokens by hand, as it is found in most projects that outgrew its views."""

from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.test import override_settings
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenRefreshView

from devices.api.serializers import TokenRefreshSerializer
from devices.models import DeviceSession

from .people import Story, get, post


class Leave(APIView):
    """A logout that is found everywhere."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        try:
            RefreshToken(request.data["refresh"]).blacklist()
        except TokenError:
            return Response(status=400)
        return Response(status=205)


class Renew(APIView):
    """A refresh of one's own, without a rotation."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        try:
            token = RefreshToken(request.data["refresh"])
        except TokenError as error:
            return Response({"why": str(error)}, status=401)
        return Response({"access": str(token.access_token)})


class RefreshSerializer(TokenRefreshSerializer):
    """A rule of the project's own, on the token itself."""

    def validate(self, attrs):
        token = self.token_class(attrs["refresh"])
        user = get_user_model().objects.get(pk=token["user_id"])
        return super().validate(attrs) | {"name": user.get_username()}


urlpatterns = [
    path("", include("stranger.urls")),
    path("own/leave", Leave.as_view()),
    path("own/renew", Renew.as_view()),
    path("own/refresh", TokenRefreshView.as_view(serializer_class=RefreshSerializer)),
]


@override_settings(ROOT_URLCONF=__name__)
class RefreshTokens(Story):
    def test_that_of_a_session_is_read_while_the_session_is_active(self):
        """As SimpleJWT reads none that is in its blacklist."""
        here = self.sign_in()
        access = post("/own/renew", refresh=here["refresh"]).json()["access"]
        self.assertEqual(get("/api/sessions", access).status_code, 200)
        self.assertEqual(post("/own/leave", refresh=here["refresh"]).status_code, 205)
        answer = post("/own/renew", refresh=here["refresh"])
        self.assertEqual(
            (answer.status_code, answer.json()["why"]), (401, "This session was signed out.")
        )
        self.assertEqual(post("/own/leave", refresh=here["refresh"]).status_code, 400)

    def test_a_serializer_that_reads_it_by_its_token_class(self):
        here = self.sign_in()
        answer = post("/own/refresh", refresh=here["refresh"])
        self.assertEqual(answer.json()["name"], "alice")
        post("/own/leave", refresh=answer.json()["refresh"])
        answer = post("/own/refresh", refresh=answer.json()["refresh"])
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "token_not_valid"))

    def test_that_of_an_account_that_was_deactivated_is_not_read(self):
        here = self.sign_in()
        type(self.alice).objects.filter(pk=self.alice.pk).update(is_active=False)
        self.assertEqual(post("/own/renew", refresh=here["refresh"]).status_code, 401)

    def test_one_of_a_row_that_is_gone_is_not_read(self):
        here = self.sign_in()
        DeviceSession.objects.all().delete()
        self.assertEqual(post("/own/renew", refresh=here["refresh"]).status_code, 401)

    def test_tests_may_put_a_function_of_one_argument_in_the_place_of_on_commit(self):
        """As is found in many, so that what follows a commit happens in a TestCase."""
        with patch("django.db.transaction.on_commit", lambda do: do()):
            self.assertTrue(self.sign_in()["access"])

    def test_tokens_of_no_session_are_read_as_ever(self):
        """A claim of the project's own with our name does not make one of ours of it."""
        for claims in ({}, {"session_id": "of the project"}):
            token = RefreshToken.for_user(self.alice)
            token.payload |= claims
            with self.subTest(claims):
                answer = post("/own/renew", refresh=str(token))
                self.assertEqual(answer.status_code, 200)
                access = answer.json()["access"]
                self.assertEqual(get("/api/sessions", access).status_code, 401)
