"""Sends the e-mails that are due, until it is stopped."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from devices.core.notifications import outbox, worker


class Command(BaseCommand):
    help = (
        "Send e-mails about unusual sign-ins. Any number of workers may run at once; one of them sends each "
        "e-mail. If a worker dies, another one sends its e-mails."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--workers", type=int, default=2, help="how many e-mails are sent at a time (2)"
        )
        parser.add_argument(
            "--once", action="store_true", help="send what is due and stop; for cron"
        )

    def handle(self, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"Mails sent: {outbox.send_due()}")
            return
        worker.run(max(options["workers"], 1))
