"""Shows whether the bus of the mode `cached` works from here. A worker's own cache is in its /healthz."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.conf import conf
from devices.core.liveness import invalidation

PATIENCE = 3.0


class Command(BaseCommand):
    help = "Show how sessions are validated, and whether the bus works. Fails if it does not."

    def handle(self, *args: Any, **options: Any) -> None:
        status = invalidation.status()
        if conf.LIVENESS == "cached":
            invalidation.listen()
            deadline = time.monotonic() + PATIENCE
            while status["bus"] != "alive" and time.monotonic() < deadline:
                time.sleep(0.05)
                status = invalidation.status()
            invalidation.stop()
        for name, value in status.items():
            self.stdout.write(f"{name}: {value}")
        if status.get("bus", "alive") != "alive":
            raise CommandError("The bus does not work: every request asks the database.")
