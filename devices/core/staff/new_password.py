"""What staff do where a stranger is in an account: end everything, and have a new password chosen."""

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.utils.crypto import get_random_string

from devices.core import database
from devices.core.notifications import outbox
from devices.models import DeviceSession

from . import bulk_revocation
from .bulk_revocation import Revoked


def require_new_password(user: AbstractBaseUser, *, by: AbstractBaseUser, note: str) -> Revoked:
    """End all sessions of a user, and put a password that nobody knows in place of theirs.

    They get another one by mail, and are told so. Raises PermissionDenied if the asker does not reach them.
    """
    with database.atomic():
        row = get_user_model()._base_manager.select_for_update().get(pk=user.pk)
        if not bulk_revocation.reaches(by, row.pk):
            raise PermissionDenied
        outbox.tell_staff_changed(row.pk)
        # Before the password, which would end them for a reason of its own.
        mine = DeviceSession.objects.filter(user_id=row.pk)
        done = bulk_revocation.revoke(mine, by=by, note=note)
        # Not an unusable one: Django's page for a new password sends no mail to who has that.
        row.password = make_password(get_random_string(64))
        row.save(update_fields=["password"])
    return done
