"""Does the bus of the mode `cached` work from here? What a worker remembers, its own /healthz tells."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.conf import conf
from devices.core.life import bus, liveness

PATIENCE = 3.0


class Command(BaseCommand):
    help = "Show how the liveness of sessions is asked, and whether the bus answers. Fails if it does not."

    def handle(self, *args: Any, **options: Any) -> None:
        status = liveness.status()
        if conf.LIVENESS == "cached":
            bus.listen()
            deadline = time.monotonic() + PATIENCE
            while status["bus"] != "alive" and time.monotonic() < deadline:
                time.sleep(0.05)
                status = liveness.status()
            bus.stop()
        for name, value in status.items():
            self.stdout.write(f"{name}: {value}")
        if status.get("bus", "alive") != "alive":
            raise CommandError("The bus does not answer: every request asks the database.")
