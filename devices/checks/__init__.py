"""Numbered system checks for settings that would silently weaken the sessions, one module per subject.

docs/checks.md lists them.
"""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from . import (
    authentication,
    citus,
    database,
    dbsc,
    dpop,
    durability,
    geolocation,
    integrations,
    keys,
    kinds,
    liveness,
    mail,
    numbers,
    pairs,
    passwords,
    paths,
    proxies,
    risk,
    second_factor,
    session_engine,
    site_data,
    templates,
    tokens,
    transactions,
    urls,
)

SUBJECTS = (
    database,
    authentication,
    urls,
    tokens,
    keys,
    numbers,
    pairs,
    passwords,
    paths,
    geolocation,
    proxies,
    transactions,
    liveness,
    durability,
    mail,
    risk,
    second_factor,
    session_engine,
    site_data,
    templates,
    dbsc,
    dpop,
    integrations,
)


@checks.register("devices", deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """What a site needs once it is used by others (`check --deploy`)."""
    return [] if _of_another_kind() else list(mail.check_deployment())


@checks.register(checks.Tags.database)
def check_databases(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Checks that ask the database (`check --database default`, `migrate`)."""
    asked = databases or ()
    if _of_another_kind():
        return []
    # Another server may not know what the others ask for.
    return [*database.check_database(asked)] or [
        *durability.check_database(asked),
        *citus.check_database(asked),
    ]


@checks.register("devices")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Every complaint about the settings of this project."""
    return _of_another_kind() or [message for subject in SUBJECTS for message in subject.check()]


def _of_another_kind() -> list[CheckMessage]:
    """What has to be right first: the other checks take each value for one of its kind, and import paths."""
    return [*kinds.check(), *paths.check_simplejwt(), *pairs.check_lifetimes()]
