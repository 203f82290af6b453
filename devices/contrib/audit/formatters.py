"""A formatter that chains the lines of a log, each process its own, so that none waits for another."""

import json
import logging
import os
import secrets
from typing import Any

from django.utils.module_loading import import_string

from .checkpoints import BEGINNING, digest


class ChainedFormatter(logging.Formatter):
    """Adds `chain`, `number`, `previous` and `hash` to each line that `inner` writes as JSON.

    `inner` is the import path of a formatter, and what follows are its own arguments. One for each handler:
    a line is counted when it is formatted.
    """

    _hash: str

    def __init__(
        self, inner: str = "pythonjsonlogger.json.JsonFormatter", **arguments: Any
    ) -> None:
        super().__init__()
        self._inner: logging.Formatter = import_string(inner)(**arguments)
        self._begin()

    def format(self, record: logging.LogRecord) -> str:
        """One line, after the one before it. Its handler calls this for one record at a time."""
        if self._pid != os.getpid():
            # After a fork: the parent continues its chain.
            self._begin()
        line = json.loads(self._inner.format(record))
        self._number += 1
        line |= {"chain": self._chain, "number": self._number, "previous": self._hash}
        line["hash"] = self._hash = digest(line)
        return json.dumps(line)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._chain, self._number = secrets.token_hex(8), 0
        self._hash = BEGINNING
