"""Numbered system checks for settings that would silently weaken the sessions, one module per subject.

docs/checks.md lists them.
"""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from . import (
    addresses,
    authentication,
    binding,
    citus,
    database,
    integrations,
    keys,
    liveness,
    mail,
    pairs,
    passwords,
    paths,
    redis_urls,
    session_engine,
    source,
    templates,
    tokens,
    urls,
    values,
    versions,
)

SUBJECTS = (
    database,
    authentication,
    urls,
    tokens,
    keys,
    values,
    pairs,
    passwords,
    paths,
    addresses,
    liveness,
    mail,
    redis_urls,
    session_engine,
    source,
    templates,
    binding,
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
    # Another server may not know what the others ask for, and a role may not read it.
    for prerequisite in (database.check_database, database.check_changes, database.check_rights):
        if found := [*prerequisite(asked)]:
            return found
    return [
        *database.check_pgpool(asked),
        *database.check_isolation(asked),
        *database.check_durability(asked),
        *database.check_sequences(asked),
        *database.check_triggers(asked),
        *database.check_history(asked),
        *citus.check_database(asked),
        *(binding.check_store() if asked else ()),
    ]


@checks.register("devices")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Every complaint about the settings of this project."""
    return _of_another_kind() or [message for subject in SUBJECTS for message in subject.check()]


def _of_another_kind() -> list[CheckMessage]:
    """What has to be right first: the other checks take each value for one of its kind, and import paths."""
    return [
        *values.check_kinds(),
        *versions.check(),
        *paths.check_simplejwt(),
        *pairs.check_lifetimes(),
    ]
