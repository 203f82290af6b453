"""Acting on somebody's behalf: on whose, that is for those within whose reach they are."""

from django.contrib.auth.models import AbstractBaseUser

from devices.core import sessions
from devices.core.clients.client import Client
from devices.exceptions import OutOfReach
from devices.models import DeviceSession

from . import bulk_revocation


def begin(by: DeviceSession, user: AbstractBaseUser, client: Client, *, note: str) -> DeviceSession:
    """Begin a session on behalf of a user, for whoever is signed in by the session `by`; `note` says why.

    It is shown to the user and stands in the logs of both; see `sessions.start_impersonated`. For an API,
    `tokens.issue` makes its tokens, which name who acts (`act`, RFC 8693 §4.1).

    Raises OutOfReach if the user has rights that the other has not, AccountNotActive if one of the two is
    not active, and Impersonated if `by` is on somebody's behalf itself.
    """
    if not bulk_revocation.reaches(by.user, user.pk):
        raise OutOfReach
    return sessions.start_impersonated(user, client, by=by, note=note)
