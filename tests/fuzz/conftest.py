"""What the made-up requests have at hand: silence, somebody who may do everything, a count of answers."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from accounts.models import User

counted: Counter[int] = Counter()


@pytest.fixture
def answers() -> Counter[int]:
    """How often each status was answered, for the line that `make fuzz` ends with."""
    return counted


@pytest.fixture
def quiet() -> Iterator[None]:
    """Thousands of refusals are no news."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The requests share the transaction of the test, as those of Django's own client do."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root@example.org", is_staff=True, is_superuser=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if "FUZZ_CASES" in os.environ and counted:
        terminalreporter.section("fuzz")
        by_status = "  ".join(f"{status}: {n}" for status, n in sorted(counted.items()))
        terminalreporter.write_line(f"{counted.total()} requests  {by_status}")
