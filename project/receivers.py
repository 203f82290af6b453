"""What the site does after a migration: the table that the cache is kept in."""

from typing import Any

from django.apps import AppConfig
from django.core.management import call_command
from django.db.models.signals import post_migrate
from django.dispatch import receiver


@receiver(post_migrate, dispatch_uid="project.migrated")
def migrated(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Create the table of Django's database cache."""
    # Of apps with models alone is anything said, and `project` has none.
    if sender.label == "accounts":
        call_command("createcachetable", database=using, verbosity=0)
