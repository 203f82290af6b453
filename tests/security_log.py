"""The security log of a test, as the site writes it."""

import json
import logging
import logging.config
from typing import Any

from django.conf import settings

from devices.core.log.security_log import Event


class Lines(logging.Handler):
    """Collects what the site's own handler would write."""

    def __init__(self) -> None:
        super().__init__()
        config: Any = logging.config.DictConfigurator(settings.LOGGING)  # type: ignore[attr-defined]
        self.setFormatter(config.configure_formatter(dict(settings.LOGGING["formatters"]["json"])))
        self.written: list[str] = []
        self.records: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.written.append(self.format(record))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written]

    def of(self, event: Event) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == event.value]
