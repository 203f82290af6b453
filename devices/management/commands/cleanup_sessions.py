"""Deletes old rows and shortens old IP addresses, from cron. The rules are in core."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone
from tqdm import tqdm

from devices.conf import conf
from devices.core import maintenance, throttling
from devices.core.liveness import db_triggers
from devices.core.log import counters
from devices.core.retention import anonymization, cleanup
from devices.core.staff import statistics

LIMITS = {"inactive_days": 36_500, "batch_size": 10_000}


class Command(BaseCommand):
    help = (
        "Delete inactive sessions, and ended sessions after their retention period, in short batches. "
        "Also delete old entries of the activity log and of login throttling, and shorten IP addresses and "
        "delete user agents after IP_RETENTION_DAYS. You can stop it, start it "
        "again, and run it twice at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--inactive-days",
            type=int,
            help="delete sessions without activity for so many days (default: INACTIVE_DAYS, or as long "
            "as a session may be idle, if that is longer)",
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=1000,
            help="rows deleted in one transaction (default: %(default)s)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only print how many sessions would be deleted"
        )

    def handle(self, **options: Any) -> None:
        for option, limit in LIMITS.items():
            if options[option] is not None and not 1 <= options[option] <= limit:
                name = option.replace("_", "-")
                raise CommandError(f"--{name} must be a whole number from 1 to {limit}.")
        days = options["inactive_days"]
        inactive = None if days is None else timedelta(days=days)
        if options["dry_run"]:
            self._foretell(inactive)
        else:
            self._purge(inactive, options["batch_size"])

    def _foretell(self, inactive: timedelta | None) -> None:
        try:
            due = {
                "Sessions to delete": cleanup.count(inactive),
                "Lines of the log to delete": cleanup.count_activities(),
                "Rows to shorten": anonymization.count(),
            }
        except Error as error:
            raise CommandError(f"The database failed: {error}") from error
        for what, n in due.items():
            # Sessions are always counted in the output; the rest only if there is any.
            if n or what == "Sessions to delete":
                self.stdout.write(f"{what}: {n}")

    def _purge(self, inactive: timedelta | None, batch_size: int) -> None:
        started, sizes = time.monotonic(), list[int]()
        limits = lines = shortened = 0

        def told() -> str:
            seconds = time.monotonic() - started
            return (
                f"Sessions deleted: {sum(sizes)} (batches: {len(sizes)}), login limits: {limits}, "
                f"lines of the log: {lines}, rows shortened: {shortened}, {seconds:.1f} s"
            )

        try:
            db_triggers.make_up()
            total = cleanup.count(inactive) if self._is_watched() else None
            for n in self._bar(cleanup.purge(inactive, batch_size=batch_size), "sessions", total):
                sizes.append(n)
            while forgotten := throttling.purge(batch_size):
                limits += forgotten
            for purge in maintenance.PURGES:
                while purge(batch_size):
                    continue
            counters.purge()
            total = cleanup.count_activities() if self._is_watched() else None
            for n in self._bar(cleanup.purge_activities(batch_size=batch_size), "lines", total):
                lines += n
            total = anonymization.count() if self._is_watched() else None
            for n in self._bar(anonymization.age(batch_size=batch_size), "rows shortened", total):
                shortened += n
            if conf.IP_RETENTION_DAYS is not None:
                statistics.clear(timezone.now() - conf.IP_RETENTION_DAYS)
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {told()}", returncode=130) from None
        except Error as error:
            raise CommandError(f"The database failed: {error}\n{told()}") from error
        self.stdout.write(told())

    @staticmethod
    def _is_watched() -> bool:
        # Counting costs a look at each due row; only a progress bar needs it.
        return sys.stderr.isatty()

    @staticmethod
    def _bar(batches: Iterator[int], unit: str, total: int | None) -> Iterator[int]:
        with tqdm(total=total, unit=f" {unit}", disable=None, leave=False) as bar:
            for size in cleanup.unhurried(batches):
                yield size
                bar.update(size)
