"""Door for Django's own signals: what happens to an account happens to its sessions."""

from collections.abc import Callable
from typing import Any, Final

from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.signals import request_started
from django.db.models.signals import (
    ModelSignal,
    post_migrate,
    post_save,
    pre_delete,
    pre_migrate,
    pre_save,
)
from django.dispatch import receiver
from django.utils import timezone

from .core import erasure, sessions, upkeep
from .core.life import triggers
from .core.proof import attempts
from .core.watch import background, notices
from .http import session_at_hand
from .models import NoticeKind

# Named here, so that every process that may do it knows the task.
HOURLY: Final = upkeep.hourly
# Among the attributes of a user that is being saved.
_ADDRESS_BEFORE: Final = "_devices_address_before"

_Receiver = Callable[..., None]


def _of_people(signal: ModelSignal) -> Callable[[_Receiver], _Receiver]:
    """Receive a signal of the user model, of its proxies and of models that extend it.

    A proxy is its own sender. Each is named, since a receiver of all models would have Django load every row
    of any table before it deletes it.
    """
    people = [model for model in apps.get_models() if issubclass(model, get_user_model())]

    def connect(receive: _Receiver) -> _Receiver:
        for model in people:
            signal.connect(receive, sender=model, dispatch_uid=f"devices.{receive.__name__}")
        return receive

    return connect


@_of_people(pre_save)
def account_about_to_be_saved(
    instance: AbstractBaseUser, raw: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """Look up the address that a save may change. Only the database still knows it."""
    field = notices.address_field()
    is_spared = update_fields is not None and field not in update_fields
    if field and not (raw or is_spared or instance._state.adding):
        accounts = get_user_model()._base_manager.filter(pk=instance.pk)
        vars(instance)[_ADDRESS_BEFORE] = accounts.values_list(field, flat=True).first()


@_of_people(post_save)
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


@_of_people(post_save)
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


@_of_people(pre_delete)
def account_deleted(instance: AbstractBaseUser, origin: Any = None, **kwargs: Any) -> None:
    sessions.account_leaves(instance)
    erasure.account_leaves(instance, origin)


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
