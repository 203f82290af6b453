"""Counts what staff see at a glance, for sites with more sessions than can be counted while they wait."""

from typing import Any

from django.core.management.base import BaseCommand

from devices.core.staff import statistics


class Command(BaseCommand):
    help = "Count the sessions for the admin's dashboard. Run it by cron if there are millions of sessions."

    def handle(self, *args: Any, **options: Any) -> None:
        counted = statistics.count()
        live = counted.data["live"]
        self.stdout.write(
            f"{live['sessions']} active sessions of {live['people']} people, "
            f"counted in {counted.took:.1f} s."
        )
