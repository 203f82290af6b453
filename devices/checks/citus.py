"""Citus: whether the setting and the tables agree, and what its sessions lack."""

from collections.abc import Iterator, Sequence

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connections

from devices.conf import Conf
from devices.core import citus, database
from devices.models import DeviceSession


def check_database(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these."""
    alias, conf = database.alias(), Conf()
    if alias not in databases:
        return
    if connections[alias].vendor != "postgresql":
        if conf.CITUS:
            yield _not_spread("it is no PostgreSQL")
        return
    if DeviceSession._meta.db_table not in connections[alias].introspection.table_names():
        # The first migrate.
        return
    is_spread = citus.is_spread()
    if conf.CITUS and not is_spread:
        yield _not_spread("run `manage.py distribute_sessions`, or take the setting away")
    if is_spread and not conf.CITUS:
        yield Error(
            "The sessions are spread by Citus, and DEVICES['CITUS'] is not set: clean-up, bulk "
            "revocation and migrate fail, and logins wait for each other.",
            hint="Set it to True; see docs/recipes/citus.md.",
            id="devices.E161",
        )
    if not is_spread:
        return
    if why := citus.state():
        yield Error(why, hint="See docs/recipes/citus.md.", id="devices.E162")
    if unlike := citus.plan():
        yield Error(
            f"Not made a table of Citus yet: {', '.join(table.name for table in unlike)}.",
            hint="Run `manage.py distribute_sessions`.",
            id="devices.E163",
        )
    if conf.REVOCATION_COMMIT is not None:
        yield checks.Warning(
            "REVOCATION_COMMIT holds on the coordinator only, and sessions are on the workers.",
            hint="Set synchronous_commit on each worker; see docs/recipes/citus.md.",
            id="devices.W164",
        )
    yield checks.Info(
        "Citus has no triggers on these tables. An account that SQL deactivates is refused at once, and "
        "may have sessions again if SQL activates it within the hour; the mode `cached` learns of changes "
        "by SQL after up to 30 seconds.",
        hint="Change accounts through Django; see docs/recipes/citus.md.",
        id="devices.I165",
    )


def _not_spread(what: str) -> Error:
    return Error(
        f"DEVICES['CITUS'] is set, and the sessions are not spread by Citus: {what}.",
        hint="See docs/recipes/citus.md.",
        id="devices.E160",
    )
