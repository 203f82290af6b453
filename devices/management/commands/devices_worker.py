"""Sends the mails that are due, now and from now on, until it is told to stop."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from devices.core.watch import background, notices


class Command(BaseCommand):
    help = (
        "Send the mails about strange sign-ins. Any number may run at once: each mail is sent by one of "
        "them, and what one that died had not sent, by another."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--workers", type=int, default=2, help="how many mails are sent at a time (2)"
        )
        parser.add_argument(
            "--once", action="store_true", help="send what is due and stop, as for cron"
        )

    def handle(self, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"Mails sent: {notices.send_due()}")
            return
        background.run(max(options["workers"], 1))
