"""Receivers of Django's signals: changes of an account end its sessions."""

import os
from collections.abc import Callable, Mapping, Sequence, Set
from copy import copy
from functools import partial
from typing import Any, Final

from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.core.signals import request_started, setting_changed
from django.db import connections
from django.db.models import Model
from django.db.models.signals import (
    ModelSignal,
    class_prepared,
    post_migrate,
    post_save,
    pre_delete,
    pre_migrate,
    pre_save,
)
from django.dispatch import receiver
from django.utils import timezone

from .conf import conf
from .core import database, erasure, failover, logins, maintenance, sessions, throttling
from .core.liveness import db_triggers, invalidation
from .core.notifications import outbox, worker
from .http import current_session, settle_guesses
from .models import DeviceSession, NotificationKind

# Named here, so that every process that may do them knows the tasks.
HOURLY: Final = maintenance.hourly
EACH_MINUTE: Final = failover.watch
# Among the attributes of a user that is being saved: what the row was.
_BEFORE: Final = "_devices_before"

# The fields of a user by which sessions end.
_DECIDE: Final = frozenset({"password", "is_active"})

FIRST_REQUEST: Final = "devices.first_request"

_Receiver = Callable[..., None]

_of_each_person: list[tuple[ModelSignal, _Receiver]] = []


def _of_people(signal: ModelSignal) -> Callable[[_Receiver], _Receiver]:
    """Receive a signal of the user model, of its proxies and of models that extend it.

    A proxy is its own sender. Each is named, since a receiver of all models would have Django load every row
    of any table before it deletes it.
    """

    def connect(receive: _Receiver) -> _Receiver:
        _of_each_person.append((signal, receive))
        for model in apps.get_models():
            _connect(model, signal, receive)
        return receive

    return connect


def _connect(model: type[Model], signal: ModelSignal, receive: _Receiver) -> None:
    if issubclass(model, get_user_model()):
        signal.connect(receive, sender=model, dispatch_uid=f"devices.{receive.__name__}")


@receiver(class_prepared, dispatch_uid="devices.model_prepared")
def model_prepared(sender: type[Model], **kwargs: Any) -> None:
    """Receive the signals of a proxy that is made later: in an `admin.py`, or where a view is imported."""
    for signal, receive in _of_each_person:
        _connect(sender, signal, receive)


def _follow(instance: AbstractBaseUser, using: str, do: Callable[[], Any]) -> None:
    """Do what the save of an account entails: now, or if another alias has saved it, after its commit.

    Several aliases may lead to one database, for roles with other rights. Ours would wait for the row that
    the other has locked, and the other for us. What is saved in another database is no account of ours.
    """
    if using == database.alias():
        do()
        return
    fields = list(filter(None, ("password", "is_active", outbox.address_field())))
    saved = [getattr(instance, field) for field in fields]

    def after_commit() -> None:
        account = _find(instance)
        if account is not None and saved == [getattr(account, field) for field in fields]:
            do()

    connections[using].on_commit(after_commit)


def _find(instance: AbstractBaseUser) -> AbstractBaseUser | None:
    """Our account of this key, also one that the model's manager hides."""
    accounts = get_user_model()._base_manager.using(database.alias())
    return accounts.filter(pk=instance.pk).first()


@_of_people(pre_save)
def account_about_to_be_saved(
    instance: AbstractBaseUser,
    raw: bool,
    using: str,
    update_fields: frozenset[str] | None,
    **kwargs: Any,
) -> None:
    """Look up what a save may change. Only the database still knows it."""
    address = outbox.address_field()
    is_spared = update_fields is not None and address not in update_fields
    if not (raw or is_spared or instance._state.adding):
        # Where it is about to be saved: a replica may not know the last row yet.
        accounts = get_user_model()._base_manager.using(using).filter(pk=instance.pk)
        stored = [each.name for each in accounts.model._meta.concrete_fields]
        fields = [name for name in stored if name in {address, *_DECIDE}]
        before = accounts.values(*fields).first() or {}
        if address and not outbox.is_plain(address):
            before[address] = outbox.read_address(accounts)
        vars(instance)[_BEFORE] = before


@_of_people(post_save)
def account_saved(
    instance: AbstractBaseUser,
    created: bool,
    raw: bool,
    using: str,
    update_fields: frozenset[str] | None,
    **kwargs: Any,
) -> None:
    """End sessions after a new password or a deactivation, and write the e-mails about what changed."""
    before: dict[str, Any] = vars(instance).pop(_BEFORE, {})
    if address := before.get(outbox.address_field()):
        _address_saved(instance, using, address)
    if created or raw or (update_fields and not update_fields & _DECIDE):
        return
    # Set by set_password() and not yet forgotten by save(): a new password.
    is_new = getattr(instance, "_password", None) is not None
    if not is_new and instance.is_active and _is_as(instance, before):
        # Of most saves. Processes that remember the user of a session read it again.
        _follow(instance, using, partial(invalidation.publish, [instance.pk]))
        return
    _follow(instance, using, partial(_account_changed, instance, is_new))


def _address_saved(instance: AbstractBaseUser, using: str, before: str) -> None:
    """Write e-mails to the old and the new address."""
    now: str = getattr(instance, outbox.address_field()) or ""
    if before.casefold() == now.casefold():
        return
    session = current_session()
    is_mine = session is not None and session.user_id == instance.pk
    where = session.pk if session is not None and is_mine else None
    _follow(instance, using, partial(outbox.tell_address_changed, instance.pk, before, now, where))


def _is_as(instance: AbstractBaseUser, before: Mapping[str, Any]) -> bool:
    """Whether no session ends by what has been saved. Where `is_active` is no column, nothing tells."""
    return before.keys() >= _DECIDE and all(
        getattr(instance, name) == before[name] for name in _DECIDE
    )


def _account_changed(instance: AbstractBaseUser, has_new_password: bool) -> None:
    if has_new_password:
        # With a clean slate.
        throttling.reset(logins.username_of(instance))
        outbox.write(
            instance.pk, NotificationKind.PASSWORD_CHANGED, {"at": timezone.now().isoformat()}
        )
    # A person who changes their password on a page stays signed in there, as Django's own views have it.
    kept = current_session(instance)
    sessions.account_changed(instance, has_new_password=has_new_password, keep=kept)


@receiver(setting_changed, dispatch_uid="devices.setting_changed")
def settings_changed(**kwargs: Any) -> None:
    """Read the settings again when a test overrides them."""
    conf.reload()


def first_request_started(**kwargs: Any) -> None:
    """Start the worker that sends e-mails, if this process is to run it."""
    # Not when the app is loaded: that may be before a fork. What another process left undone is found, too.
    worker.ensure_running()
    request_started.disconnect(dispatch_uid=FIRST_REQUEST)


def _await_first_request() -> None:
    request_started.connect(first_request_started, dispatch_uid=FIRST_REQUEST)


_await_first_request()
os.register_at_fork(after_in_child=_await_first_request)


@_of_people(pre_delete)
def account_deleted(
    instance: AbstractBaseUser, using: str, origin: Any = None, **kwargs: Any
) -> None:
    """End the user's sessions, and clear what no foreign key reaches.

    Raises TransactionManagementError if that would wait for a transaction of this thread, by our alias.
    """
    if using == database.alias():
        sessions.account_leaves(instance)
        erasure.account_leaves(instance, origin)
        return
    if database.connection().in_atomic_block:
        sessions.refuse_to_wait(instance, using)
    # Django takes the key from the instance, and the rows go with the account.
    account, active, places = copy(instance), sessions.active_of(instance), erasure.places(instance)
    connections[using].on_commit(partial(_account_left, account, active, places))


def _account_left(
    account: AbstractBaseUser, active: Sequence[DeviceSession], places: Set[str]
) -> None:
    if _find(account) is not None:
        # It was a copy, in another database.
        return
    with database.atomic():
        sessions.account_left(account, active)
        erasure.account_left(account, places)


@receiver(user_login_failed, dispatch_uid="devices.login_failed")
def login_failed(**kwargs: Any) -> None:
    """No backend has found the password right."""
    settle_guesses(are_right=False)


@receiver(pre_migrate, dispatch_uid="devices.about_to_migrate")
def about_to_migrate(sender: AppConfig, using: str, plan: Any, **kwargs: Any) -> None:
    """Drop the triggers that a migration would fail on."""
    if sender.label == "devices":
        db_triggers.make_way(using, plan)


@receiver(post_migrate, dispatch_uid="devices.migrated")
def migrated(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Create the triggers."""
    # Each time, since a migration of the user's table can drop its triggers (SQLite remakes tables). It is
    # sent once all apps are migrated.
    if sender.label == "devices":
        db_triggers.install(using)
