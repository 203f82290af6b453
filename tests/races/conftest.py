"""What every race has at hand: the site in several processes over PostgreSQL, and how many rounds to run."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from django.db import connection

from .site import Site, serve

# A few in the suite; `make races` asks for all.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "2"))

Tally = Callable[..., None]
tallies: dict[str, Counter[str]] = defaultdict(Counter)


@pytest.fixture(scope="session")
def sites(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """sites("cached"): the site in a mode of LIVENESS, on the suite's own database, once for all tests."""
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    with ExitStack() as stack:

        @cache
        def start(liveness: str) -> Site:
            log = tmp_path_factory.mktemp(liveness) / "gunicorn.log"
            return stack.enter_context(serve(connection.settings_dict["NAME"], liveness, log))

        yield start


@pytest.fixture
def site(request: pytest.FixtureRequest, sites: Callable[[str], Site], settings: Any) -> Site:
    """The site in the mode "database", or in the one that the test is parametrized with."""
    # Of the verbs that a test calls in its own process, the site hears like this.
    settings.DEVICES = {**settings.DEVICES, "BUS": "postgres"}
    return sites(getattr(request, "param", "database"))


@pytest.fixture(scope="session")
def rounds() -> Callable[[int], range]:
    """rounds(50): as many as were asked for, at most 50."""
    return lambda most: range(min(most, ROUNDS))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """tally(rounds=1, refreshed=6): count outcomes for the table that `make races` prints."""
    return lambda **counts: tallies[request.node.name].update(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if "RACE_ROUNDS" in os.environ and tallies:
        terminalreporter.section("races")
        for name, counts in tallies.items():
            outcome = "  ".join(f"{what} {count}" for what, count in counts.items())
            terminalreporter.write_line(f"{name}\n    {outcome}")
