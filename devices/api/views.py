"""The sessions of the caller over REST."""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import mixins, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.core import sessions, step_up, trusted_devices
from devices.core.log import export
from devices.core.notifications import outbox
from devices.http import csv_download, get_session
from devices.models import (
    Activity,
    DeviceSession,
    DeviceSessionQuerySet,
    RevokeReason,
    TrustedDeviceQuerySet,
)

from .authentication import ForSessions, ForStrangers, SignedInRequest, current_session
from .pagination import NewestActivitiesFirst, NewestSessionsFirst
from .permissions import RecentlyConfirmed
from .renderers import CSVRenderer, FormatFirst, without_csv
from .serializers import (
    ActivitySerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    DeviceCodeSerializer,
    NotificationsSerializer,
    PastSessionSerializer,
    RevokedSerializer,
    SessionSerializer,
    TrustedDeviceSerializer,
    pair_of,
)


def parse_id(text: str) -> uuid.UUID | None:
    """The id of a path in its one spelling, the canonical one; None if it is none."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


class CallersSessions(ForSessions, viewsets.GenericViewSet):
    """A view of the signed-in user's own sessions."""

    request: SignedInRequest
    permission_classes = (IsAuthenticated,)

    def find(self, mine: DeviceSessionQuerySet) -> DeviceSession:
        """The session of the path among the caller's. A foreign one is as unknown as any: NotFound."""
        wanted = self.kwargs["pk"]
        if wanted == "current":
            return current_session(self.request)
        session_id = parse_id(wanted)
        session = mine.filter(pk=session_id).first() if session_id else None
        if session is None:
            raise NotFound
        return session


class SessionViewSet(CallersSessions, mixins.RetrieveModelMixin):
    """Where the caller is signed in."""

    serializer_class = SessionSerializer
    pagination_class = None

    def get_queryset(self) -> DeviceSessionQuerySet:
        return DeviceSession.objects.for_user(self.request.user).active()

    def get_object(self) -> DeviceSession:
        return self.find(self.get_queryset())

    def list(self, request: SignedInRequest) -> Response:
        """Return the user's active sessions, the last active first."""
        active = sessions.list_active(request.user)
        return Response(self.get_serializer(active, many=True).data)

    def partial_update(self, request: SignedInRequest, pk: str) -> Response:
        """Rename a session."""
        serializer = self.get_serializer(self.get_object(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def destroy(self, request: SignedInRequest, pk: str) -> Response:
        """End a session. Another one than the current one needs a recent proof."""
        current = current_session(request)
        if pk in ("current", str(current.pk)):
            sessions.logout(current)
            return Response(status=204)
        # Before any lookup, so that an old confirmation reveals nothing about other sessions.
        self.require_confirmation(request)
        sessions.revoke(self.get_object(), reason=RevokeReason.USER, by=request.user)
        return Response(status=204)

    def revoke_all(self, request: SignedInRequest) -> Response:
        """End all sessions of the user; needs a recent proof."""
        keep = current_session(request).pk if self._keep_current(request) else None
        self.require_confirmation(request)
        revoked = sessions.revoke_all(
            request.user, reason=RevokeReason.USER_ALL, keep=keep, by=request.user
        )
        return Response(RevokedSerializer({"revoked": revoked}).data)

    def confirm(self, request: SignedInRequest) -> Response:
        """Confirm who you are, with a password or a code."""
        serializer = ConfirmSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        until = step_up.fresh_until(current_session(request))
        return Response(ConfirmedSerializer({"confirmed_until": until}).data)

    def require_confirmation(self, request: SignedInRequest) -> None:
        """Raise `ConfirmationRequired`, or another error of `RecentlyConfirmed`, without a recent proof."""
        RecentlyConfirmed().has_permission(request, self)

    @staticmethod
    def _keep_current(request: SignedInRequest) -> bool:
        given = request.query_params.getlist("keep_current", ["true"])
        if given not in (["true"], ["false"]):
            raise ValidationError({"keep_current": ["Give true or false, once."]})
        return given == ["true"]


class DeviceCodeView(ForStrangers, APIView):
    """The login on a new device goes on with the code of the mail, in SimpleJWT's shape."""

    def post(self, request: Request) -> Response:
        serializer = DeviceCodeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(pair_of(serializer.tokens))


class TrustedDeviceViewSet(ForSessions, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Where the caller signs in without a second factor."""

    request: SignedInRequest
    permission_classes = (IsAuthenticated,)
    serializer_class = TrustedDeviceSerializer
    pagination_class = None

    def get_queryset(self) -> TrustedDeviceQuerySet:
        return trusted_devices.of_user(self.request.user)

    def destroy(self, request: SignedInRequest, pk: str) -> Response:
        """Stop trusting a device."""
        # It makes a login ask for more, so that it takes no proof.
        trusted_id = parse_id(pk)
        if trusted_id is None or not trusted_devices.forget_one(request.user, trusted_id):
            raise NotFound
        return Response(status=204)


class NotificationsView(ForSessions, APIView):
    """Which mails the caller wants."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: SignedInRequest) -> Response:
        return Response(outbox.preferences_of(request.user))

    def patch(self, request: SignedInRequest) -> Response:
        serializer = NotificationsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        if outbox.switched_off(request.user, **wanted):
            RecentlyConfirmed().has_permission(request, self)
        return Response(outbox.prefer(request.user, **wanted))


class HistoryViewSet(CallersSessions, mixins.ListModelMixin):
    """All the caller's sessions, ended ones too: in pages, or whole as a file."""

    serializer_class = PastSessionSerializer
    pagination_class = NewestSessionsFirst
    renderer_classes = (*without_csv(CallersSessions.renderer_classes), CSVRenderer)
    content_negotiation_class = FormatFirst

    def get_format_suffix(self, **kwargs: Any) -> str | None:
        """Return the format of our parameter, whatever the project calls its own (URL_FORMAT_OVERRIDE)."""
        return self.request.query_params.get("format") or super().get_format_suffix(**kwargs)

    def get_queryset(self) -> DeviceSessionQuerySet:
        return DeviceSession.objects.filter(user_id=self.request.user.pk)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.query_params.getlist("format") not in ([], ["json"], ["csv"]):
            # DRF takes an empty one for none, and the last of several.
            raise NotFound
        if isinstance(request.accepted_renderer, CSVRenderer):
            # A file has no pages, yet what makes no sense is refused as ever.
            NewestSessionsFirst().get_page_size(request)
            lines = export.as_csv(request.user, get_session(request))
            return csv_download(lines, f"sessions-{timezone.now():%Y-%m-%d}.csv")
        return super().list(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        asked = getattr(request, "accepted_renderer", None)
        if isinstance(response, Response) and isinstance(asked, CSVRenderer):
            # A refusal is JSON, whatever was asked for.
            request.accepted_renderer = JSONRenderer()
            request.accepted_media_type = JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


class ActivityViewSet(CallersSessions, mixins.ListModelMixin):
    """What happened in one of the caller's sessions, active or ended."""

    serializer_class = ActivitySerializer
    pagination_class = NewestActivitiesFirst

    def get_queryset(self) -> QuerySet[Activity]:
        session = self.find(DeviceSession.objects.filter(user_id=self.request.user.pk))
        return Activity.objects.filter(session_id=session.pk, user_id=session.user_id)
