"""One Chromium for all tests in this folder, in a thread of its own.

The driver has an event loop, and where one runs Django refuses to ask the database. So the tests ask it in
their thread, and what is done in the browser is handed to the other: `drive(lambda visit: visit().go("/"))`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.browser.visitor import CHROMIUM, Visitor

Drive = Callable[[Callable[[Callable[..., Visitor]], Any]], Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[tuple[ThreadPoolExecutor, Any]]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: no page was looked at in a browser")
    with ThreadPoolExecutor(1) as thread:

        def launch() -> tuple[Any, Any]:
            playwright = sync_api.sync_playwright().start()
            arguments = ["--no-sandbox", "--disable-quic"]
            return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)

        playwright, browser = thread.submit(launch).result(timeout=60)
        yield thread, browser
        thread.submit(browser.close).result(timeout=60)
        thread.submit(playwright.stop).result(timeout=60)


@pytest.fixture
def drive(chromium: tuple[ThreadPoolExecutor, Any], live_server: Any) -> Drive:
    """drive(journey): what `journey(visit)` returns; `visit(...)` is a Visitor with a browser of its own.

    Whatever their browsers complained of, fails the test.
    """
    thread, browser = chromium

    def drive(journey: Callable[[Callable[..., Visitor]], Any]) -> Any:
        visitors: list[Visitor] = []

        def visit(**how: Any) -> Visitor:
            visitors.append(Visitor(browser, live_server.url, **how))
            return visitors[-1]

        def run() -> Any:
            try:
                return journey(visit)
            finally:
                for visitor in visitors:
                    visitor.context.close()

        result = thread.submit(run).result(timeout=300)
        assert [complaint for visitor in visitors for complaint in visitor.complaints] == []
        return result

    return drive
