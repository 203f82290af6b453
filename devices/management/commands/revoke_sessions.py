"""Door for incidents: ends the sessions that filters mean. What they mean is in core.oversight.selection."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, router
from django.db.models import Count
from django.utils import timezone
from tqdm import tqdm

from devices.core.oversight import staff
from devices.core.oversight.selection import InvalidSelection, Selection
from devices.models import DeviceSessionQuerySet, DeviceType

# What may be asked for, and how it is explained; each is a filter of Selection.
FILTERS = {
    "ip": "where it began: an address or a network, such as 203.0.113.0/24",
    "last_ip": "where it was last active; no index serves this one",
    "country": "two letters, such as DE, or “unknown”",
    "os": "such as Windows, as the list of sessions has it",
    "browser": "such as Chrome, as the list of sessions has it",
    "device_type": f"one of: {', '.join(DeviceType.values)}",
    "user_agent": "what the user agent contains, in any case; no index serves this one",
    "suspicious": "true or false: whether the login was strange",
    "active_before": "last active before this time, such as 2026-03-01T12:00:00Z",
    "active_after": "last active at this time or later",
    "issued_before": "begun before this time",
    "issued_after": "begun at this time or later",
}
REASON_LENGTH = 500


class Command(BaseCommand):
    help = (
        "Ends the active sessions that meet every filter: their tokens are refused from then on. Says how "
        "many they are and asks, then ends them in batches. It may be interrupted: run it again, and it "
        "goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="LOGIN", help="of this person, by their login")
        for name, text in FILTERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=text)
        parser.add_argument("--all", action="store_true", help="everybody's, without any filter")
        parser.add_argument(
            "--reason", help="why, for the log of each session; its owner can read it"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only say how many sessions would be ended"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, **options: Any) -> None:
        reason = (options["reason"] or "").strip()
        if not reason and not options["dry_run"]:
            raise CommandError("Say why, with --reason: it goes into the log of each session.")
        if len(reason) > REASON_LENGTH or not reason.isprintable():
            raise CommandError(f"--reason must be one line of at most {REASON_LENGTH} characters.")
        selection = self._selection(options)
        # Whoever signs in from now on is not meant: what is ended is what was counted.
        due = selection.sessions().active().filter(created_at__lte=timezone.now())
        try:
            figures = due.aggregate(sessions=Count("pk"), people=Count("user_id", distinct=True))
            if options["dry_run"]:
                self.stdout.write(f"To be revoked: {_reach(**figures)}.")
            elif not figures["sessions"]:
                self.stdout.write("No active session meets these filters.")
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
        if options["all"] and given:
            raise CommandError("--all means everybody: leave it, or the filters, out.")
        if not options["all"] and not given:
            raise CommandError("Give a filter, or --all for everybody.")
        try:
            return Selection.parse(given)
        except InvalidSelection as error:
            lines = [f"--{name.replace('_', '-')}: {text}" for name, text in error.errors.items()]
            raise CommandError("\n".join(lines)) from error

    @staticmethod
    def _key(login: str) -> Any:
        model = get_user_model()
        manager: Any = model._default_manager.db_manager(router.db_for_write(model))
        try:
            return manager.get_by_natural_key(login).pk
        except ObjectDoesNotExist as error:
            raise CommandError(f"--user: nobody has the login {login!r}.") from error

    def _confirmed(self, sessions: int, people: int) -> bool:
        if not sys.stdin.isatty():
            raise CommandError(
                f"This would end {_reach(sessions, people)}. Nobody is there to ask: add --yes."
            )
        return input(f"End {_reach(sessions, people)}? Type yes: ").strip().lower() == "yes"

    def _revoke(self, due: DeviceSessionQuerySet, reason: str, total: int) -> None:
        done = staff.Revoked(0, 0, more=True)
        try:
            with tqdm(total=total, unit=" sessions", disable=None, leave=False) as bar:
                for done in staff.revoking(due, by=None, note=reason, patience=None):
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
