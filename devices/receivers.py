"""Door for Django's own signals: what happens to an account happens to its sessions."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models.signals import post_save
from django.dispatch import receiver

from .core import sessions


@receiver(post_save, sender=get_user_model(), dispatch_uid="devices.account_saved")
def account_saved(
    instance: AbstractBaseUser,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None,
    **kwargs: Any,
) -> None:
    if created or raw or (update_fields and not update_fields & {"password", "is_active"}):
        return
    sessions.account_changed(instance)
