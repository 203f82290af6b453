"""Receivers of Django's signals: the chain records an erasure before it happens."""

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models.signals import pre_delete

from . import sealing


def account_deleted(instance: AbstractBaseUser, **kwargs: Any) -> None:
    """Record the erasure in the chain."""
    sealing.record_erasure(instance.pk)


for model in apps.get_models():
    if issubclass(model, get_user_model()):
        pre_delete.connect(
            account_deleted, sender=model, dispatch_uid="devices.audit.account_deleted"
        )
