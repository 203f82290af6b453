"""Every session over REST, for staff: to look at, to end, and to count. By Django's permissions."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.utils.translation import gettext_lazy as _
from rest_framework import ISO_8601, serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.conf import conf
from devices.core import database
from devices.core.log.export import HISTORY_FIELDS
from devices.core.staff import bulk_revocation, statistics, timeouts
from devices.core.staff.filters import InvalidSelection, Selection
from devices.models import DeviceSession, DeviceSessionQuerySet, Status

from .authentication import ForSessions, SignedInRequest, current_session
from .pagination import NewestSessionsFirst
from .permissions import RecentlyConfirmed
from .serializers import FlagField, PastSessionSerializer, TextField, TimeField


class MayView(BasePermission):
    """Allows staff with the permission to view sessions."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("devices.view_devicesession")


class MayRevoke(BasePermission):
    """Allows staff with the permission to revoke sessions."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("devices.revoke_devicesession")


class TooBroad(APIException):
    """No index knows that two frequent values never come together; with a time it is soon read."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = _("That took too long. Add a filter, or a shorter time.")
    default_code = "too_broad"


class NotCounted(APIException):
    """503: the statistics have to be counted by `manage.py count_sessions` first."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _(
        "There are too many sessions to count now. Run manage.py count_sessions first."
    )
    default_code = "not_counted"


class StaffView(ForSessions, APIView):
    """A view of the staff API, which reads permissions from the database at each request."""

    def perform_authentication(self, request: Request) -> None:
        """Rights are asked of the database each time, whatever is remembered of the session (LIVENESS)."""
        super().perform_authentication(request)
        if conf.LIVENESS == "cached" and request.user and request.user.is_authenticated:
            # Where they are written: a replica may not know yet that they were taken.
            accounts = get_user_model()._base_manager.using(database.alias())
            now = accounts.filter(pk=request.user.pk).first()
            request.user = now or AnonymousUser()

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, OperationalError) and timeouts.is_over(exc):
            exc = TooBroad()
        if isinstance(exc, InvalidSelection):
            exc = ValidationError({name: [error] for name, error in exc.errors.items()})
        return super().handle_exception(exc)


class PersonSerializer(serializers.Serializer):
    """Whose session it is: as much of a user as every user model has."""

    id = serializers.CharField(source="pk")
    name = serializers.CharField(source="get_username")


class StaffSessionSerializer(PastSessionSerializer):
    """A session as staff see it: as its owner does in the history, and whose it is."""

    user = PersonSerializer()
    revoked_by = serializers.CharField(source="revoked_by_id", allow_null=True)
    impersonator = serializers.CharField(source="impersonator_id", allow_null=True)

    def to_representation(self, instance: Any) -> Any:
        return serializers.ModelSerializer.to_representation(self, instance)

    class Meta(PastSessionSerializer.Meta):
        fields: tuple[str, ...] = (  # type: ignore[assignment]
            *("id", "user"),
            *HISTORY_FIELDS[1:],
            *(
                "revoked_by",
                "authenticated_at",
                "mfa_at",
                "risk_level",
                "risk_score",
                "reviewed_at",
            ),
            "impersonator",
        )
        read_only_fields: tuple[str, ...] = fields  # type: ignore[assignment]


class StaffPages(NewestSessionsFirst):
    """Pages of 50 sessions. Ended sessions are ordered by when they ended."""

    page_size = 50

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        # Those that ended are listed by when they did: the newest logins have not, and would be read in vain.
        match request.query_params.get("status"):
            case Status.REVOKED:
                return ("-revoked_at", "-id")
            case Status.EXPIRED:
                return ("-expires_at", "-id")
        return ("-created_at", "-id")


class StaffSessionsView(StaffView, ListAPIView):
    """All sessions, or those that filters let through."""

    permission_classes = (IsAuthenticated, MayView)
    serializer_class = StaffSessionSerializer
    pagination_class = StaffPages
    queryset = DeviceSession.objects.all()  # for the description

    def get_queryset(self) -> DeviceSessionQuerySet:
        given = dict(self.request.query_params.lists())
        for name in ("cursor", "page_size"):
            given.pop(name, None)
        if twice := [name for name, values in given.items() if len(values) > 1]:
            raise ValidationError({name: [_("Give it once.")] for name in twice})
        selection = Selection.parse({name: values[0] for name, values in given.items()})
        return selection.sessions().select_related("user")


class StaffRevokeSerializer(serializers.Serializer):
    """What is no filter in a request to revoke."""

    reason = TextField(max_length=500, required=False)
    # Without a `default` in the description: generators take a field that has one for required.
    dry_run = FlagField(required=False)
    all = FlagField(required=False)
    include_current = FlagField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = {"dry_run": False, "all": False, "include_current": False, **attrs}
        if not attrs["dry_run"] and "reason" not in attrs:
            raise ValidationError({"reason": [_("This field is required.")]})
        return attrs


class StaffRevokedSerializer(serializers.Serializer):
    """How many sessions were selected and ended, and what was left."""

    matched = serializers.IntegerField()
    users = serializers.IntegerField()
    revoked = serializers.IntegerField()
    more = serializers.BooleanField()
    protected = serializers.IntegerField()
    current_kept = serializers.BooleanField()


class StaffRevokeView(StaffView):
    """End what filters let through."""

    permission_classes = (IsAuthenticated, MayRevoke)
    request: SignedInRequest

    def post(self, request: SignedInRequest) -> Response:
        order = StaffRevokeSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        wish = order.validated_data
        assert isinstance(request.data, dict)
        selection = Selection.parse(_filters(request.data, set(order.fields)))
        if selection.is_everybody != wish["all"]:
            everybody = _("Without a filter this is everybody: say “all”: true, or give a filter.")
            both = _("Give filters, or “all”; not both.")
            raise ValidationError({"all": [both if wish["all"] else everybody]})
        may_look = MayView().has_permission(request, self)
        if wish["dry_run"] and not may_look:
            self.permission_denied(request)
        if not wish["dry_run"]:
            RecentlyConfirmed().has_permission(request, self)
        by = request.user
        spare = None if wish["include_current"] else current_session(request).pk
        chosen = selection.sessions()
        survey = bulk_revocation.survey(chosen, by=by, spare=spare)
        done = bulk_revocation.Revoked(0, 0, survey.more)
        if not wish["dry_run"]:
            done = bulk_revocation.revoke(chosen, by=by, note=wish["reason"], spare=spare)
        if not may_look:
            # What they ended, and not what else there is: filters would be a way to look.
            survey = survey._replace(sessions=done.sessions, people=done.people, protected=0)
        found = {
            "matched": survey.sessions,
            "users": survey.people,
            "revoked": done.sessions,
            "more": done.more,
            "protected": survey.protected,
            "current_kept": bool(survey.spared),
        }
        return Response(StaffRevokedSerializer(found).data)


def _filters(body: dict[str, Any], others: set[str]) -> dict[str, str]:
    """The filters of a body as the text they are in an address. A flag is one; a key may be a number."""
    filters: dict[str, str] = {}
    for name, value in body.items():
        if name in others:
            continue
        match name, value:
            case "suspicious", bool():
                filters[name] = str(value).lower()
            case "suspicious", _:
                raise ValidationError({name: [_("Give true or false.")]})
            case "user", int() if not isinstance(value, bool):
                filters[name] = str(value)
            case _, str():
                filters[name] = value
            case _:
                raise ValidationError({name: [_("Give text.")]})
    return filters


class ValueSerializer(serializers.Serializer):
    """A value, and how many sessions have it."""

    value = serializers.CharField(allow_null=True, allow_blank=True)
    sessions = serializers.IntegerField()


class UserCountSerializer(serializers.Serializer):
    """A user, and how many sessions they have."""

    user = PersonSerializer()
    sessions = serializers.IntegerField()


class CountsSerializer(serializers.Serializer):
    """How often sessions started and ended, and logins failed."""

    logins = serializers.IntegerField()
    revocations = serializers.IntegerField()
    failed_logins = serializers.IntegerField()
    blocked_logins = serializers.IntegerField()


class QuarterSerializer(serializers.Serializer):
    """How many logins failed in a quarter of an hour."""

    at = TimeField()
    failed_logins = serializers.IntegerField()
    blocked_logins = serializers.IntegerField()


class FailuresSerializer(serializers.Serializer):
    """How many logins failed from a country; without a value, from all others together."""

    value = serializers.CharField(allow_null=True)
    failed_logins = serializers.IntegerField()
    blocked_logins = serializers.IntegerField()


class DaySerializer(CountsSerializer):
    """The counts of one day."""

    day = serializers.DateField(format=ISO_8601)


class LiveSerializer(serializers.Serializer):
    """How many sessions are active, and of how many users."""

    sessions = serializers.IntegerField()
    people = serializers.IntegerField()


class TraitsSerializer(serializers.Serializer):
    """How active sessions are distributed."""

    device_type = ValueSerializer(many=True)
    os = ValueSerializer(many=True)
    browser = ValueSerializer(many=True)
    country = ValueSerializer(many=True)
    login_method = ValueSerializer(many=True)


class TopSerializer(serializers.Serializer):
    """The addresses and users with most sessions."""

    addresses = ValueSerializer(many=True)
    users = UserCountSerializer(many=True)


class StatsSerializer(serializers.Serializer):
    """The figures of the dashboard."""

    counted_at = TimeField()
    live = LiveSerializer()
    waiting = serializers.IntegerField()
    past_day = CountsSerializer()
    quarters = QuarterSerializer(many=True)
    failures_by_country = FailuresSerializer(many=True)
    days = DaySerializer(many=True)
    by = TraitsSerializer()
    revocations_by_reason = ValueSerializer(many=True)
    top = TopSerializer()


class StaffStatsView(StaffView):
    """The figures of the dashboard."""

    permission_classes = (IsAuthenticated, MayView)

    def get(self, request: Request) -> Response:
        counted = statistics.current()
        if counted.counted_at is None:
            raise NotCounted
        people = statistics.people(counted)
        top = {
            **counted.data["top"],
            "users": [{"user": user, "sessions": n} for user, n in people],
        }
        data = {**counted.data, "top": top, "counted_at": counted.counted_at}
        return Response(StatsSerializer(data).data)
