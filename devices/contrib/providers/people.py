"""Whom a provider means, by what django-allauth remembers of people's accounts there."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet


def by_allauth(provider: str, who: Mapping[str, str]) -> QuerySet[Any]:
    """The keys of the users: for DEVICES["PROVIDER_PEOPLE"].

    `who` has `sub`, or `sid` (the provider's session that somebody last signed in with), or `email`; the
    first of these counts.
    """
    found = _accounts().filter(provider=provider)
    if "sub" in who:
        # A provider that names the person need not have told us of its session.
        found = found.filter(uid=who["sub"])
    elif "sid" in who:
        # An app's ID token is stored as it is, and a browser's beside what the provider says of the person.
        found = found.filter(
            Q(extra_data__id_token__sid=who["sid"]) | Q(extra_data__sid=who["sid"])
        )
    else:
        found = found.filter(
            user__emailaddress__email__iexact=who["email"], user__emailaddress__verified=True
        )
    keys: QuerySet[Any] = found.values_list("user_id", flat=True)
    return keys


def id_token_of(user_id: Any, provider: str) -> Mapping[str, Any]:
    """The claims of the ID token of a user's last login with a provider, as allauth stores it.

    Empty if there is none, or no allauth.
    """
    if not apps.is_installed("allauth.socialaccount"):
        return {}
    mine = _accounts().filter(user_id=user_id, provider=provider).order_by("-last_login")
    said = mine.values_list("extra_data", flat=True).first()
    if not isinstance(said, Mapping):
        return {}
    claims = said.get("id_token", said)
    return claims if isinstance(claims, Mapping) else {}


def authenticated_at(user_id: Any, provider: str) -> datetime | None:
    """When the provider last asked a user for a proof, if the ID token of the last login says so.

    By `auth_time` (OpenID Connect Core §2). A provider that still knows a browser asks for none.
    """
    said = id_token_of(user_id, provider).get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(said, UTC)
    return None


def _accounts() -> Any:
    return apps.get_model("socialaccount.SocialAccount")._default_manager
