"""Rotates, withdraws and lists the keys that sign tokens."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.conf import conf
from devices.core.keys import keyring, rotation
from devices.core.keys.key import ALGORITHMS
from devices.exceptions import KeysUnavailable
from devices.models import SigningKey


class Command(BaseCommand):
    help = (
        "Rotate the signing keys: the next key signs, the current one retires, and a new next key is "
        "published. Nobody is signed out: a retired key still verifies. The first run only publishes a key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--algorithm", choices=ALGORITHMS, help="algorithm of the new key (default: as before)"
        )
        parser.add_argument(
            "--now",
            action="store_true",
            help="do not wait until other services have read the next key",
        )
        parser.add_argument(
            "--withdraw",
            metavar="KID",
            help="refuse all tokens of this key within a second; “simplejwt” is SIMPLE_JWT's own",
        )
        parser.add_argument("--list", action="store_true", help="only show the keys")

    def handle(self, **options: Any) -> None:
        if conf.SIGNING_KEYS is None:
            raise CommandError("DEVICES['SIGNING_KEYS'] is not set: see docs/keys.md.")
        try:
            if options["withdraw"]:
                if not rotation.withdraw(options["withdraw"]):
                    self.stdout.write("This key is withdrawn already.")
            elif not options["list"]:
                rotation.rotate(options["algorithm"], now=options["now"])
        except rotation.TooEarly as error:
            raise CommandError(
                f"Other services may not have read the next key yet. Wait {error} s, or add --now."
            ) from error
        except rotation.Busy as error:
            raise CommandError("Another process is changing the keys. Try again.") from error
        except KeysUnavailable as error:
            raise CommandError(str(error)) from error
        self._list()

    def _list(self) -> None:
        try:
            keys = keyring.current()
        except KeysUnavailable as error:
            raise CommandError(str(error)) from error
        if keys is None:
            return
        for key in keys.keys:
            self._line(key.kid, key.algorithm, key.state, key.accepted_until)
        if keys.accepts_simplejwt:
            own = SigningKey.objects.filter(kid=keyring.SIMPLEJWT).first()
            state = "retired" if own or keys.signing is not None else "signing"
            until = own.accepted_until if own else None
            self._line(keyring.SIMPLEJWT, "", state, until)
        for row in SigningKey.objects.filter(state="withdrawn").order_by("withdrawn_at"):
            self._line(row.kid, row.algorithm, row.state, None)

    def _line(self, kid: str, algorithm: str, state: str, until: Any) -> None:
        end = f"  until {until:%Y-%m-%d %H:%M} UTC" if until else ""
        self.stdout.write(f"{kid:<44} {algorithm:<6} {state}{end}")
