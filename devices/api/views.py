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

from devices.core import sessions, stepup
from devices.core.log import history
from devices.core.watch import notices
from devices.http import csv_download, session_of
from devices.models import Activity, DeviceSession, DeviceSessionQuerySet, RevokeReason

from .authentication import ForSessions, SignedInRequest, current_session
from .pagination import NewestActivitiesFirst, NewestSessionsFirst
from .permissions import RecentlyConfirmed
from .renderers import CSVRenderer
from .serializers import (
    ActivitySerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    NotificationsSerializer,
    PastSessionSerializer,
    RevokedSerializer,
    SessionSerializer,
)


class CallersSessions(ForSessions, viewsets.GenericViewSet):
    request: SignedInRequest
    permission_classes = (IsAuthenticated,)

    def find(self, mine: DeviceSessionQuerySet) -> DeviceSession:
        """The session of the path among the caller's. A foreign one is as unknown as any: NotFound."""
        wanted = self.kwargs["pk"]
        if wanted == "current":
            return current_session(self.request)
        # One spelling for one session, the canonical one.
        try:
            session_id = uuid.UUID(wanted)
        except ValueError as error:
            raise NotFound from error
        session = mine.filter(pk=session_id).first()
        if session is None or str(session_id) != wanted:
            raise NotFound
        return session


class SessionViewSet(CallersSessions, mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """Where the caller is signed in."""

    serializer_class = SessionSerializer
    pagination_class = None

    def get_queryset(self) -> DeviceSessionQuerySet:
        mine = DeviceSession.objects.of(self.request.user)
        return mine.active().order_by("-last_active", "-created_at")

    def get_object(self) -> DeviceSession:
        return self.find(self.get_queryset())

    def partial_update(self, request: SignedInRequest, pk: str) -> Response:
        serializer = self.get_serializer(self.get_object(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def destroy(self, request: SignedInRequest, pk: str) -> Response:
        current = current_session(request)
        if pk in ("current", str(current.pk)):
            sessions.logout(current)
            return Response(status=204)
        # Before anything is looked for: a stale proof learns nothing of the others.
        self.require_confirmation(request)
        sessions.revoke(self.get_object(), reason=RevokeReason.USER, by=request.user)
        return Response(status=204)

    def revoke_all(self, request: SignedInRequest) -> Response:
        keep = current_session(request).pk if self._keep_current(request) else None
        self.require_confirmation(request)
        revoked = sessions.revoke_all(
            request.user, reason=RevokeReason.USER_ALL, keep=keep, by=request.user
        )
        return Response(RevokedSerializer({"revoked": revoked}).data)

    def confirm(self, request: SignedInRequest) -> Response:
        serializer = ConfirmSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        until = stepup.fresh_until(current_session(request))
        return Response(ConfirmedSerializer({"confirmed_until": until}).data)

    def require_confirmation(self, request: SignedInRequest) -> None:
        RecentlyConfirmed().has_permission(request, self)

    @staticmethod
    def _keep_current(request: SignedInRequest) -> bool:
        given = request.query_params.getlist("keep_current", ["true"])
        if given not in (["true"], ["false"]):
            raise ValidationError({"keep_current": ["Give true or false, once."]})
        return given == ["true"]


class NotificationsView(ForSessions, APIView):
    """Which mails the caller wants."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: SignedInRequest) -> Response:
        return Response(notices.preferences_of(request.user))

    def patch(self, request: SignedInRequest) -> Response:
        serializer = NotificationsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        if notices.switched_off(request.user, **wanted):
            RecentlyConfirmed().has_permission(request, self)
        return Response(notices.prefer(request.user, **wanted))


class HistoryViewSet(CallersSessions, mixins.ListModelMixin):
    """All the caller's sessions, ended ones too: in pages, or whole as a file."""

    serializer_class = PastSessionSerializer
    pagination_class = NewestSessionsFirst
    renderer_classes = (*CallersSessions.renderer_classes, CSVRenderer)

    def get_queryset(self) -> DeviceSessionQuerySet:
        return DeviceSession.objects.filter(user_id=self.request.user.pk)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.query_params.getlist("format") not in ([], ["json"], ["csv"]):
            # DRF takes an empty one for none, and the last of several.
            raise NotFound
        if isinstance(request.accepted_renderer, CSVRenderer):
            # A file has no pages, yet what makes no sense is refused as ever.
            NewestSessionsFirst().get_page_size(request)
            lines = history.as_csv(request.user, session_of(request))
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
