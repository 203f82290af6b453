"""Ends the sessions that match filters, after an incident. core.staff.filters has the filters."""

import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.db.models import Count
from django.utils import timezone
from tqdm import tqdm

from devices.core import logins
from devices.core.log import security_log
from devices.core.staff import bulk_revocation
from devices.core.staff.filters import InvalidSelection, Selection
from devices.models import DeviceSessionQuerySet, DeviceType

# What may be asked for, and how it is explained; each is a filter of Selection.
FILTERS = {
    "ip": "address at login, or its network, such as 203.0.113.0/24",
    "last_ip": "latest address or its network; slow, without an index",
    "asn": "network operator at login, such as AS64496; needs ASN_DATABASE",
    "country": "two letters, such as DE, or “unknown”",
    "os": "such as Windows, as the list of sessions shows it",
    "browser": "such as Chrome, as the list of sessions shows it",
    "device_type": f"one of: {', '.join(DeviceType.values)}",
    "user_agent": "part of the user agent, in upper or lower case; slow, without an index",
    "suspicious": "true or false: whether the login was unusual",
    "active_before": "last active before this time, such as 2026-03-01T12:00:00Z",
    "active_after": "last active at this time or later",
    "issued_before": "started before this time",
    "issued_after": "started at this time or later",
}
REASON_LENGTH = 500


class Command(BaseCommand):
    help = (
        "End the active sessions that match all filters: their tokens are refused. Show how "
        "many there are, ask, then end them in batches. You can stop it and run it again: it "
        "continues."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="LOGIN", help="sessions of the user with this login")
        for name, text in FILTERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=text)
        parser.add_argument(
            "--revoked-in",
            metavar="FILE",
            help="sessions that a security log reports as revoked; - for standard input. After a failover",
        )
        parser.add_argument(
            "--all", action="store_true", help="all sessions of all users, without filters"
        )
        parser.add_argument(
            "--reason", help="the reason, for the log of each session; only staff can read it"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only print how many sessions would be ended"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, **options: Any) -> None:
        reason = (options["reason"] or "").strip()
        if not reason and not options["dry_run"]:
            raise CommandError("Give a --reason for the log of each session.")
        if len(reason) > REASON_LENGTH or not reason.isprintable():
            raise CommandError(f"--reason must be one line of at most {REASON_LENGTH} characters.")
        selection = self._selection(options)
        # Sessions that start from now on are not included: only those are ended that were counted.
        due = selection.sessions().active().filter(created_at__lte=timezone.now())
        if options["revoked_in"] is not None:
            due = due.filter(pk__in=self._revoked_in(options["revoked_in"]))
        try:
            figures = due.aggregate(sessions=Count("pk"), people=Count("user_id", distinct=True))
            if options["dry_run"]:
                self.stdout.write(f"To be revoked: {_reach(**figures)}.")
            elif not figures["sessions"]:
                self.stdout.write("No active session matches these filters.")
            elif options["yes"] or self._confirmed(**figures):
                self._revoke(due, reason, figures["sessions"])
            else:
                raise CommandError("Nothing was revoked.")
        except Error as error:
            raise CommandError(
                f"The database failed: {error}\nRun it again for the rest."
            ) from error

    def _selection(self, options: dict[str, Any]) -> Selection:
        given = {name: options[name] for name in FILTERS if options[name] is not None}
        if options["user"] is not None:
            given["user"] = str(self._key(options["user"]))
        is_limited = bool(given) or options["revoked_in"] is not None
        if options["all"] and is_limited:
            raise CommandError("Give either --all or filters, not both.")
        if not options["all"] and not is_limited:
            raise CommandError("Give a filter, or --all for everybody.")
        try:
            return Selection.parse(given)
        except InvalidSelection as error:
            lines = [f"--{name.replace('_', '-')}: {text}" for name, text in error.errors.items()]
            raise CommandError("\n".join(lines)) from error

    @staticmethod
    def _revoked_in(file: str) -> list[Any]:
        """Those active sessions that lines of the log say were revoked: few, however long it is."""
        try:
            with nullcontext(sys.stdin) if file == "-" else Path(file).open() as lines:
                named = security_log.revoked_in(lines)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--revoked-in: {error}") from error
        if not named:
            raise CommandError(f"--revoked-in: no line of {file} says that a session was revoked.")
        return bulk_revocation.still_active(named)

    @staticmethod
    def _key(login: str) -> Any:
        if (user := logins.find(login)) is None:
            raise CommandError(f"--user: no user has the login {login!r}.")
        return user.pk

    def _confirmed(self, sessions: int, people: int) -> bool:
        if not sys.stdin.isatty():
            raise CommandError(
                f"This would end {_reach(sessions, people)}. This is not a terminal: add --yes."
            )
        return input(f"End {_reach(sessions, people)}? Type yes: ").strip().lower() == "yes"

    def _revoke(self, due: DeviceSessionQuerySet, reason: str, total: int) -> None:
        done = bulk_revocation.Revoked(0, 0, more=True)
        try:
            with tqdm(total=total, unit=" sessions", disable=None, leave=False) as bar:
                for done in bulk_revocation.revoking(due, by=None, note=reason, patience=None):
                    bar.update(done.sessions - bar.n)
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted. Revoked: {_reach(done.sessions, done.people)}. Run it again for the rest.",
                returncode=130,
            ) from None
        self.stdout.write(f"Revoked: {_reach(done.sessions, done.people)}.")


def _reach(sessions: int, people: int) -> str:
    return (
        f"{sessions} {'session' if sessions == 1 else 'sessions'} "
        f"of {people} {'person' if people == 1 else 'people'}"
    )
