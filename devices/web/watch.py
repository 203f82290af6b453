"""A page that is open notices that its session was signed out elsewhere, and says when and why.

It asks every few seconds, by a token that names its session and opens nothing. The answer needs neither the
cookie nor, mostly, the database.
"""

import uuid
from typing import Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from devices.core.liveness import polling
from devices.models import DeviceSession, RevokeReason

TOKEN: Final = "of"
_SALT: Final = "devices.watch"
# The page may be an attacker's, who need not know what the owner has said.
_NOT_TOLD: Final = (RevokeReason.NOT_ME, RevokeReason.RISK)


def url_of(session: DeviceSession) -> str:
    """Where a page in this session, in its language, asks whether the session continues."""
    named = [session.pk.hex, translation.get_language() or ""]
    return f"{reverse('devices:watch')}?{urlencode({TOKEN: signing.dumps(named, salt=_SALT)})}"


# It is asked without the cookie, also where LoginRequiredMiddleware is.
@method_decorator([login_not_required, never_cache], name="dispatch")
class WatchView(View):
    """`/devices/watch/?of=`: `{"active": true}`; or when and why it ended, in words."""

    def get(self, request: HttpRequest) -> JsonResponse:
        try:
            named, language = signing.loads(request.GET.get(TOKEN, ""), salt=_SALT)
        except signing.BadSignature:
            detail = _("This link is not one of ours. Was it copied whole?")
            return JsonResponse({"detail": detail, "code": "token_not_valid"}, status=400)
        pk = uuid.UUID(named)
        if not polling.has_ended(pk):
            return JsonResponse({"active": True})
        with translation.override(language or None):
            return JsonResponse({"active": False, **_ending(pk)})


def _ending(pk: uuid.UUID) -> dict[str, str | None]:
    session = DeviceSession.objects.filter(pk=pk).first()
    ended_at = session.ended_at if session else None
    return {
        "title": _("You are signed out here"),
        "why": _why(session),
        "ended_at": ended_at.isoformat() if ended_at else None,
        "again": _("Sign in again"),
    }


def _why(session: DeviceSession | None) -> str:
    if session is None:
        return _("Your account, or this session, is no longer there.")
    if session.revoked_at is None:
        return _("You were not active for too long.")
    reason = RevokeReason(session.revoke_reason)
    return str((RevokeReason.USER if reason in _NOT_TOLD else reason).label)
