"""Generates a secret for a service that asks about tokens."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from devices.core import service_clients


class Command(BaseCommand):
    help = (
        "Generate a secret for a service, and print its line for DEVICES['SERVICE_CLIENTS']. "
        "Nothing is stored: give the secret to the service, and add the line to your settings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="client_id of the service")
        parser.add_argument(
            "--may",
            nargs="+",
            choices=service_clients.PERMISSIONS,
            default=["introspect"],
            help="what it is allowed to do",
        )

    def handle(self, **options: Any) -> None:
        secret, digest = service_clients.new_secret()
        self.stdout.write(f"client_id: {options['name']}\nclient_secret: {secret}\n\n")
        line = {"secret": digest, "may": options["may"]}
        self.stdout.write(f'"SERVICE_CLIENTS": {{{options["name"]!r}: {line!r}}}\n')
