"""Makes events of entries of the activity log, and of e-mails that are queued."""

from typing import Any

from django.apps import apps
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from devices.core import second_factor
from devices.core.log import activity
from devices.models import Notification

from . import outbox

activity.observers.append(outbox.observe)


@receiver(post_save, sender=Notification, dispatch_uid="devices.ssf.notification_written")
def notification_written(instance: Notification, created: bool, **kwargs: Any) -> None:
    """Add the event that an e-mail is about to the streams."""
    if created:
        outbox.observe_notification(instance)


def factor_deleted(instance: Any, **kwargs: Any) -> None:
    """Add the event that a second factor of allauth was removed, however it was."""
    if instance.type != second_factor.RECOVERY:
        outbox.tell_method_removed(instance.user_id, "factor")


def identity_deleted(instance: Any, **kwargs: Any) -> None:
    """Add the event that an account elsewhere is linked no more."""
    outbox.tell_method_removed(instance.user_id, "identity")


for app, model, tell in (
    ("mfa", "Authenticator", factor_deleted),
    ("socialaccount", "SocialAccount", identity_deleted),
):
    if apps.is_installed(f"allauth.{app}"):
        post_delete.connect(tell, sender=f"{app}.{model}", dispatch_uid=f"devices.ssf.{model}")
