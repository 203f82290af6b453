"""Makes the groups that staff are put into, so that nobody has to look for permissions by their names."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError

GROUPS = {
    "Session viewers": ("view_devicesession",),
    "Session managers": ("view_devicesession", "revoke_devicesession"),
}


class Command(BaseCommand):
    help = "Make the groups “Session viewers” and “Session managers”, or give them back their permissions."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, codenames in GROUPS.items():
            permissions = Permission.objects.filter(
                content_type__app_label="devices", codename__in=codenames
            )
            if len(permissions) < len(codenames):
                raise CommandError("The permissions are not there yet: run “migrate” first.")
            group, made = Group.objects.get_or_create(name=name)
            # Added only: what a site has given them besides stays theirs.
            group.permissions.add(*permissions)
            self.stdout.write(f"{name}: {', '.join(codenames)}{'' if made else ' (was there)'}")
