"""Creates the groups for staff, so that nobody has to search for the names of the permissions."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import router

GROUPS = {
    "Session viewers": ("view_devicesession",),
    "Session managers": ("view_devicesession", "revoke_devicesession"),
}


class Command(BaseCommand):
    help = (
        "Create the groups “Session viewers” and “Session managers”, or restore their permissions."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for name, codenames in GROUPS.items():
            # Where they are written: a replica may not have those of a migrate just now.
            permissions = Permission.objects.using(router.db_for_write(Permission)).filter(
                content_type__app_label="devices", codename__in=codenames
            )
            if len(permissions) < len(codenames):
                raise CommandError("The permissions do not exist yet: run “migrate” first.")
            group, made = Group.objects.get_or_create(name=name)
            # Added only: what a site has given them besides stays theirs.
            group.permissions.add(*permissions)
            self.stdout.write(
                f"{name}: {', '.join(codenames)}{'' if made else ' (already existed)'}"
            )
