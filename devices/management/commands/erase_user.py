"""Erases a user (GDPR, right to erasure): deletes the account and every trace of it, by core.erasure."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.db.models import ProtectedError, RestrictedError

from devices.core import erasure, logins


class Command(BaseCommand):
    help = (
        "Delete an account with its sessions, log and e-mails, and remove its name, addresses and user "
        "agents from the rest of the database. Print what was deleted, without personal data."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("login", help="login of the user")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, **options: Any) -> None:
        user = logins.find(options["login"])
        if user is None:
            raise CommandError("No user has this login.")
        if not options["yes"]:
            self._ask(user)
        try:
            erased = erasure.erase(user)
        except (ProtectedError, RestrictedError) as error:
            raise CommandError(f"Nothing was erased: {error.args[0]}") from error
        except Error as error:
            raise CommandError(f"The database failed, and nothing was erased: {error}") from error
        for what, n in sorted(erased.items()):
            self.stdout.write(f"{what}: {n}")
        self.stdout.write("Erased. Log files and backups outside of the database are not changed.")

    @staticmethod
    def _ask(user: AbstractBaseUser) -> None:
        if not sys.stdin.isatty():
            raise CommandError("This is not a terminal: add --yes.")
        login = logins.username_of(user)
        if input(f"Erase {login} for good? Type the login: ").strip() != login:
            raise CommandError("Nothing was erased.")
