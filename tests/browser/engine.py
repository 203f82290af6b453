"""A Chromium in a thread of its own.

Playwright's driver has an event loop, and where one runs Django refuses to ask the database.
"""

import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from .visitor import CHROMIUM

# Seconds for one journey, which takes some ten of them.
PATIENCE = 200.0


class Engine:
    """Runs jobs in a Chromium. One that hangs is ended, and the next job has another."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
        self._start()

    def run(self, job: Callable[[Any], Any]) -> Any:
        """What the job returns, which is called with the browser. Raises TimeoutError if it hangs."""
        try:
            return self._thread.submit(job, self._browser).result(timeout=PATIENCE)
        except TimeoutError:
            self._kill()
            self._start()
            raise

    def close(self) -> None:
        try:
            self._thread.submit(self._browser.close).result(timeout=60)
            self._thread.submit(self._playwright.stop).result(timeout=60)
        except TimeoutError:
            self._kill()

    def _start(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        before = _drivers()
        self._playwright = self._thread.submit(self._sync_api.sync_playwright().start).result(60)
        self._pids = _drivers() - before
        launch = self._playwright.chromium.launch
        browser = self._thread.submit(launch, executable_path=CHROMIUM, **self._options)
        self._browser = browser.result(timeout=60)

    def _kill(self) -> None:
        """End the driver, and Chromium with it: whoever waits for it in the thread is told so."""
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._thread.shutdown(wait=False)


def _drivers() -> set[int]:
    command = ["pgrep", "-P", str(os.getpid()), "node"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
    return {int(pid) for pid in found.split()}
