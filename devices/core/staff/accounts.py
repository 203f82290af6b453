"""What staff do with the account of one user within their reach: act for them, or end everything there."""

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.utils.crypto import get_random_string

from devices.core import database, hashing, sessions
from devices.core.clients.client import Client
from devices.core.notifications import outbox
from devices.exceptions import OutOfReach
from devices.models import DeviceSession

from . import bulk_revocation
from .bulk_revocation import Revoked


def begin_impersonation(
    by: DeviceSession, user: AbstractBaseUser, client: Client, *, note: str
) -> DeviceSession:
    """Begin a session on behalf of a user, for whoever is signed in by the session `by`; `note` says why.

    It is shown to the user and stands in the logs of both; see `sessions.start_impersonated`. For an API,
    `tokens.issue` makes its tokens, which name who acts (`act`, RFC 8693 §4.1).

    Raises OutOfReach if the user has rights that the other has not, AccountNotActive if one of the two is
    not active, and Impersonated if `by` is on somebody's behalf itself.
    """
    if not bulk_revocation.reaches(by.user, user.pk):
        raise OutOfReach
    return sessions.start_impersonated(user, client, by=by, note=note)


def require_new_password(user: AbstractBaseUser, *, by: AbstractBaseUser, note: str) -> Revoked:
    """End all sessions of a user, and put a password that nobody knows in place of theirs.

    They get another one by mail, and are told so. Who has no password here (LDAP, a provider) gets none:
    it would be another way in. Raises PermissionDenied if the asker does not reach them.
    """
    with database.atomic():
        row = get_user_model()._base_manager.select_for_update().get(pk=user.pk)
        if not bulk_revocation.reaches(by, row.pk):
            raise PermissionDenied
        # Before the password, which would end them for a reason of its own.
        mine = DeviceSession.objects.filter(user_id=row.pk)
        done = bulk_revocation.revoke(mine, by=by, note=note)
        if hashing.has_password(row):
            outbox.tell_staff_changed(row.pk)
            # Not an unusable one: Django's page for a new password sends no mail to who has that.
            row.password = make_password(get_random_string(64))
            row.save(update_fields=["password"])
    return done
