"""Verifies that the logs are unchanged, and prints checkpoints to be kept elsewhere."""

import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from devices.contrib.audit import checkpoints, lines, sealing, verification
from devices.contrib.audit.checkpoints import Checkpoint
from devices.contrib.audit.verification import Report


class Command(BaseCommand):
    help = (
        "Verify that the activity of staff, or files of the security log, are unchanged. Report what "
        "was changed, removed, inserted or reordered, and where. The exit code is then 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files",
            nargs="*",
            help="files of the security log, the oldest first; without files, the database",
        )
        parser.add_argument(
            "--against",
            metavar="FILE",
            help="compare with the checkpoints in this file (-: standard input)",
        )
        parser.add_argument(
            "--closed",
            metavar="FILE",
            help="checkpoints up to which files of the security log were deleted",
        )
        parser.add_argument("--checkpoint", action="store_true", help="print checkpoints")

    def handle(self, **options: Any) -> None:
        known, closed = _read(options["against"]), _read(options["closed"])
        if options["files"]:
            told, ends = self._verify_files(options["files"], known, closed)
        else:
            told, ends = self._verify_database(known, options["checkpoint"])
        self.stderr.write(told)
        if options["checkpoint"]:
            for each in ends:
                self.stdout.write(str(each))

    def _verify_files(
        self, names: list[str], known: list[Checkpoint], closed: list[Checkpoint]
    ) -> tuple[str, list[Checkpoint]]:
        try:
            with ExitStack() as stack:
                files = [
                    (name, stack.enter_context(open(name, encoding="utf-8", errors="replace")))
                    for name in names
                ]
                report = lines.verify(files, known, closed)
        except OSError as error:
            raise CommandError(f"Cannot read a file: {error}") from error
        self._demand(report.problems)
        return f"{report.lines} lines are unchanged.", report.checkpoints

    def _verify_database(
        self, known: list[Checkpoint], is_sealed: bool
    ) -> tuple[str, list[Checkpoint]]:
        try:
            if is_sealed:
                sealing.seal()
            report: Report = verification.verify(known)
        except Error as error:
            raise CommandError(f"The database failed: {error}") from error
        self._demand(report.problems)
        told = f"{report.links} links are unchanged; {report.pending} lines are not chained yet."
        return told, [] if report.end is None else [report.end]

    def _demand(self, problems: list[str]) -> None:
        for problem in problems:
            self.stdout.write(problem)
        if problems:
            raise CommandError(f"Changes in the log: {len(problems)} found.")


def _read(name: str | None) -> list[Checkpoint]:
    if name is None:
        return []
    try:
        if name == "-":
            return checkpoints.parse(sys.stdin)
        with open(name, encoding="utf-8") as file:
            return checkpoints.parse(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"The checkpoints cannot be read: {error}") from error
