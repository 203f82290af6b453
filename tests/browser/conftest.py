"""One Chromium for all tests in this folder, in a thread of its own.

The driver has an event loop, and where one runs Django refuses to ask the database. So the tests ask it in
their thread, and what is done in the browser is handed to the other: `drive(lambda visit: visit().go("/"))`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.engine import Engine
from tests.browser.visitor import CHROMIUM, Visitor

Drive = Callable[[Callable[[Callable[..., Visitor]], Any]], Any]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: no page was looked at in a browser")
    return CHROMIUM


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[Engine]:
    engine = Engine(args=["--no-sandbox", "--disable-quic"])
    yield engine
    engine.close()


@pytest.fixture
def drive(chromium: Engine, live_server: Any) -> Drive:
    """drive(journey): what `journey(visit)` returns; `visit(...)` is a Visitor with a browser of its own.

    Whatever their browsers complained of, fails the test.
    """

    def drive(journey: Callable[[Callable[..., Visitor]], Any]) -> Any:
        visitors: list[Visitor] = []

        def run(browser: Any) -> Any:
            def visit(**how: Any) -> Visitor:
                visitors.append(Visitor(browser, live_server.url, **how))
                return visitors[-1]

            try:
                return journey(visit)
            finally:
                for visitor in visitors:
                    visitor.context.close()

        result = chromium.run(run)
        assert [complaint for visitor in visitors for complaint in visitor.complaints] == []
        return result

    return drive
