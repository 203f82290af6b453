"""Door at start-up: numbered checks of what would silently weaken the sessions, one module per subject.

docs/checks.md lists them.
"""

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from . import (
    authentication,
    database,
    liveness,
    mail,
    numbers,
    paths,
    proxies,
    risk,
    second_factor,
    tokens,
    transactions,
    urls,
)

SUBJECTS = (
    database,
    authentication,
    urls,
    tokens,
    numbers,
    paths,
    proxies,
    transactions,
    liveness,
    mail,
    risk,
    second_factor,
)


@checks.register("devices", deploy=True)
def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """What a site needs once it is used by others (`check --deploy`)."""
    return list(mail.check_deployment())


@checks.register("devices")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Every complaint about the settings of this project."""
    return [message for subject in SUBJECTS for message in subject.check()]
