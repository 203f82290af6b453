"""Whether a session that was ended stays ended when the database fails over, or crashes."""

from collections.abc import Iterator, Sequence

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connections

from devices.conf import Conf
from devices.core import database

LEVELS = (None, "on", "remote_apply")


def check() -> Iterator[CheckMessage]:
    """Check that REVOCATION_COMMIT has one of its values."""
    if Conf().REVOCATION_COMMIT not in LEVELS:
        yield Error(
            "DEVICES['REVOCATION_COMMIT'] is neither None nor 'on' nor 'remote_apply'.",
            hint="Lower levels do not wait for a standby's disk; see docs/settings.md.",
            id="devices.E150",
        )


def check_database(databases: Sequence[str]) -> Iterator[CheckMessage]:
    """Ask the database of the sessions, if it is among these."""
    alias, level = database.alias(), Conf().REVOCATION_COMMIT
    if alias not in databases or connections[alias].vendor != "postgresql" or level not in LEVELS:
        return
    commit, names, replicas = database.replication()
    order = database.COMMITS
    commit = max(commit, level or "off", key=order.index)
    if replicas and not names:
        yield checks.Warning(
            "After a failover an ended session may be active again: no standby is synchronous.",
            hint="Set synchronous_standby_names; see docs/recipes/failover.md.",
            id="devices.W151",
        )
    if commit == "off" or (replicas and order.index(commit) < order.index("on")):
        yield checks.Warning(
            "After a crash of the database an ended session may be active again: synchronous_commit"
            f" is {commit}.",
            hint="Set DEVICES['REVOCATION_COMMIT'] to 'on', and run migrate; the rest can stay as it is.",
            id="devices.W152",
        )
