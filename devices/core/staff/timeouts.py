"""Timeouts for slow queries of staff. Only PostgreSQL has them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import OperationalError

from devices.core.database import connection, sqlstate

# PostgreSQL's code for a statement that ran into `statement_timeout`.
QUERY_CANCELED = "57014"

Ask = Callable[[Callable[[], Any]], Any]


@contextmanager
def within(patience: timedelta | None) -> Iterator[Ask]:
    """Within a transaction: `ask(question)` puts questions to the database as long as time is left."""
    if patience is None or connection().vendor != "postgresql":
        yield lambda question: question()
        return
    deadline = time.monotonic() + patience.total_seconds()

    def ask(question: Callable[[], Any]) -> Any:
        _limit(f"{max(1, 1000 * (deadline - time.monotonic())):.0f}")
        return question()

    with connection().cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        [before] = cursor.fetchone()
    yield ask
    # There may be more in this transaction than ours. After an error it is as it was.
    _limit(before)


def is_over(error: OperationalError) -> bool:
    """Whether the database gave up since time was up."""
    return sqlstate(error) == QUERY_CANCELED


def _limit(time: str) -> None:
    with connection().cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [time])
