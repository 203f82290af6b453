"""How somebody signed in to the pages or to an app, as allauth wrote it down: DEVICES["LOGIN_PROOF"]."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest

from devices.web.cookie import Proof, proof_by_backend

from .models import User


def _is_remembered(request: HttpRequest) -> bool:
    """Whether "remember me" was ticked, in the form that is sent now or one step before the second factor."""
    if "login" in request.POST:
        return "remember" in request.POST
    return not request.session.get_expire_at_browser_close()


def proof_of(request: HttpRequest, user: User) -> Proof:
    """By what: a password, the name of another site, a passkey; and whether a second factor was shown."""
    if not getattr(request, "is_allauth_login", False):
        # The admin's own form, say. What was shown earlier in the same browser was not shown to it.
        return proof_by_backend(request, user)
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    mfa = any(record["method"] == "mfa" for record in records)
    if first := next((record for record in records if record["method"] != "mfa"), None):
        method = first.get("provider") or first["method"]
        return Proof(method, mfa=mfa, remember=_is_remembered(request))
    return Proof("passkey", mfa=True) if mfa else proof_by_backend(request, user)
