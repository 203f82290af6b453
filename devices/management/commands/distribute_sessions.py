"""Spreads the sessions over the workers of a Citus cluster. What is done is in core."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from devices.core import citus, database
from devices.core.liveness import db_triggers


class Command(BaseCommand):
    help = (
        "Spread the sessions and their log over the workers of a Citus cluster, by user. Without --yes it "
        "only prints what it would do. Stop the site first: the tables are locked until it is done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, **options: Any) -> None:
        if why := citus.state():
            raise CommandError(why)
        tables = citus.plan()
        for table in tables:
            self.stdout.write(f"{table.kind}: {table.name}, {table.rows} rows")
        if not tables:
            self.stdout.write("Everything is as it has to be.")
        elif not options["yes"]:
            self.stdout.write("Nothing was changed. With --yes it is.")
        else:
            try:
                with database.atomic():
                    db_triggers.remove(database.alias())
                    citus.distribute(tables)
            except Error as error:
                raise CommandError(f"The database failed, nothing was changed: {error}") from error
            self.stdout.write("Done. Set DEVICES['CITUS'] to True before you start the site.")
