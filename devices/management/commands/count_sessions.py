"""Counts what staff see at a glance, for sites with more sessions than can be counted while they wait."""

from typing import Any

from django.core.management.base import BaseCommand

from devices.core.oversight import figures


class Command(BaseCommand):
    help = "Count the sessions for the dashboard of the admin. For cron, where there are millions of them."

    def handle(self, *args: Any, **options: Any) -> None:
        counted = figures.count()
        live = counted.data["live"]
        self.stdout.write(
            f"{live['sessions']} living sessions of {live['people']} people, "
            f"counted in {counted.took:.1f} s."
        )
