"""What every race has at hand: the site in four processes over PostgreSQL, and how many rounds to run."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from .site import Site, serve

# A few in the suite; `make races` asks for all.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))

Tally = Callable[..., None]
tallies: dict[str, Counter[str]] = defaultdict(Counter)


@pytest.fixture(scope="session")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site on the suite's own database, so that tests may call the verbs beside it."""
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")
    log = tmp_path_factory.mktemp("races") / "gunicorn.log"
    with serve(connection.settings_dict["NAME"], log) as site:
        yield site


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
