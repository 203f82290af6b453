"""Door for cron: deletes what is over. The rules of what is due are in core.cleanup and core.attempts."""

import sys
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from tqdm import tqdm

from devices.conf import conf
from devices.core import attempts, cleanup

LIMITS = {"inactive_days": 36_500, "batch_size": 10_000}


class Command(BaseCommand):
    help = (
        "Deletes sessions without activity, and ended ones past their retention, in short batches. "
        "It may be interrupted and started again, also twice at once. Limits of login attempts that limit "
        "nobody any more go with them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--inactive-days",
            type=int,
            default=conf.INACTIVE_DAYS.days,
            help="delete sessions without activity for so many days (default: %(default)s)",
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=1000,
            help="rows deleted in one transaction (default: %(default)s)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only say how many sessions would be deleted"
        )

    def handle(self, **options: Any) -> None:
        for option, limit in LIMITS.items():
            if not 1 <= options[option] <= limit:
                name = option.replace("_", "-")
                raise CommandError(f"--{name} must be a whole number from 1 to {limit}.")
        inactive = timedelta(days=options["inactive_days"])
        if options["dry_run"]:
            self._foretell(inactive)
        else:
            self._purge(inactive, options["batch_size"])

    def _foretell(self, inactive: timedelta) -> None:
        try:
            due = cleanup.count(inactive)
        except Error as error:
            raise CommandError(f"The database failed: {error}") from error
        self.stdout.write(f"Sessions to delete: {due}")

    def _purge(self, inactive: timedelta, batch_size: int) -> None:
        started, sizes, limits = time.monotonic(), list[int](), 0

        def figures() -> str:
            seconds = time.monotonic() - started
            return (
                f"Sessions deleted: {sum(sizes)} (batches: {len(sizes)}), "
                f"login limits: {limits}, {seconds:.1f} s"
            )

        try:
            # Counting costs a look at each due row; only a progress bar needs it.
            total = cleanup.count(inactive) if sys.stderr.isatty() else None
            with tqdm(total=total, unit=" sessions", disable=None, leave=False) as bar:
                for size in cleanup.purge(inactive, batch_size=batch_size):
                    sizes.append(size)
                    bar.update(size)
            while forgotten := attempts.forget(batch_size):
                limits += forgotten
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {figures()}", returncode=130) from None
        except Error as error:
            raise CommandError(f"The database failed: {error}\n{figures()}") from error
        self.stdout.write(figures())
