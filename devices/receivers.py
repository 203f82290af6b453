"""Door for Django's own signals: what happens to an account happens to its sessions."""

from typing import Any, Final

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.signals import request_started
from django.db.models.signals import (
    post_migrate,
    post_save,
    pre_delete,
    pre_migrate,
    pre_save,
)
from django.dispatch import receiver
from django.utils import timezone

from .core import erasure, sessions
from .core.life import triggers
from .core.proof import attempts
from .core.watch import background, notices
from .http import session_at_hand
from .models import NoticeKind

# Among the attributes of a user that is being saved.
_ADDRESS_BEFORE: Final = "_devices_address_before"


@receiver(pre_save, sender=get_user_model(), dispatch_uid="devices.account_about_to_be_saved")
def account_about_to_be_saved(
    instance: AbstractBaseUser, raw: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """Look up the address that a save may change. Only the database still knows it."""
    field = notices.address_field()
    is_spared = update_fields is not None and field not in update_fields
    if field and not (raw or is_spared or instance._state.adding):
        accounts = get_user_model()._base_manager.filter(pk=instance.pk)
        vars(instance)[_ADDRESS_BEFORE] = accounts.values_list(field, flat=True).first()


@receiver(post_save, sender=get_user_model(), dispatch_uid="devices.address_saved")
def address_saved(instance: AbstractBaseUser, **kwargs: Any) -> None:
    before: str | None = vars(instance).pop(_ADDRESS_BEFORE, None)
    if not before:
        return
    now: str = getattr(instance, notices.address_field()) or ""
    if before.casefold() == now.casefold():
        return
    session = session_at_hand()
    is_mine = session is not None and session.user_id == instance.pk
    where = session.pk if session is not None and is_mine else None
    notices.tell_address_changed(instance.pk, before, now, where)


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
    if getattr(instance, "_password", None) is not None:
        # Set by set_password() and not yet forgotten by save(): a new password, with a clean slate.
        attempts.pardon(instance.get_username())
        notices.write(instance.pk, NoticeKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()})
    # A person who changes their password on a page stays signed in there, as Django's own views have it.
    sessions.account_changed(instance, keep=session_at_hand(instance))


@receiver(request_started, dispatch_uid="devices.request_started")
def request_started_here(**kwargs: Any) -> None:
    # Not when the app is loaded: that may be before a fork. What another process left undone is found, too.
    background.ensure_running()


@receiver(pre_delete, sender=get_user_model(), dispatch_uid="devices.account_deleted")
def account_deleted(instance: AbstractBaseUser, **kwargs: Any) -> None:
    sessions.account_leaves(instance)
    erasure.account_leaves(instance)


@receiver(pre_migrate, dispatch_uid="devices.about_to_migrate")
def about_to_migrate(sender: AppConfig, using: str, plan: Any, **kwargs: Any) -> None:
    if sender.label == "devices":
        triggers.make_way(using, plan)


@receiver(post_migrate, dispatch_uid="devices.migrated")
def migrated(sender: AppConfig, using: str, **kwargs: Any) -> None:
    # Each time, since a migration of the user's table can drop its triggers (SQLite remakes tables). It is
    # sent once all apps are migrated.
    if sender.label == "devices":
        triggers.install(using)
