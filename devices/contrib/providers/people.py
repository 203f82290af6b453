"""Whom a provider means, by what django-allauth remembers of people's accounts there."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db.models import QuerySet


def by_allauth(provider: str, who: Mapping[str, str]) -> QuerySet[Any]:
    """The keys of the users: for DEVICES["PROVIDER_PEOPLE"].

    `who` has `sub`, or `sid` (the provider's session that somebody last signed in with), or `email`; the
    first of these counts.
    """
    accounts = apps.get_model("socialaccount.SocialAccount")._default_manager
    found = accounts.filter(provider=provider)
    if "sub" in who:
        # A provider that names the person need not have told us of its session.
        found = found.filter(uid=who["sub"])
    elif "sid" in who:
        found = found.filter(extra_data__id_token__sid=who["sid"])
    else:
        found = found.filter(
            user__emailaddress__email__iexact=who["email"], user__emailaddress__verified=True
        )
    keys: QuerySet[Any] = found.values_list("user_id", flat=True)
    return keys
