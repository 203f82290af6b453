"""Metrics and span events for OpenTelemetry, by its API alone: without an SDK they cost next to nothing.

What happens is heard from the security log. How old things are is asked when somebody collects, in a thread
of its own, whose connection to the database is closed thereafter.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

from django.db import Error, connections
from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

from devices.conf import conf
from devices.core.liveness import invalidation
from devices.core.liveness.cache import session_cache
from devices.core.log import security_log
from devices.core.notifications import outbox
from devices.core.retention import cleanup

logger = logging.getLogger(__name__)

# Of a record; each has few values, and none of them is of a person.
ATTRIBUTES: Final = ("event", "outcome", "code", "reason", "method")

Ages = Callable[[CallbackOptions], Iterable[Observation]]


class EventCounter(logging.Handler):
    """Counts what the security log says, and adds it to the span of the request."""

    def __init__(self, meter: metrics.Meter) -> None:
        super().__init__()
        self._events = meter.create_counter(
            "devices.events", "{event}", "Sign-ins, refreshes, refusals, revocations and the like."
        )

    def emit(self, record: logging.LogRecord) -> None:
        found = {name: getattr(record, name, None) for name in ATTRIBUTES}
        attributes = {name: value for name, value in found.items() if isinstance(value, str)}
        if "event" not in attributes:
            return
        try:
            self._events.add(1, attributes)
            trace.get_current_span().add_event(f"devices.{attributes['event']}", attributes)
        except Exception:  # of whatever SDK; what is counted has happened
            self.handleError(record)


def install() -> None:
    """Begin to count, once for each process and those it forks."""
    meter = metrics.get_meter("devices")
    security_log.logger.addHandler(EventCounter(meter))
    meter.create_observable_counter(
        "devices.cache.lookups", [_lookups], "{lookup}", "Sessions looked up in the cache."
    )
    for name, ask, text in (
        ("devices.bus.age", _bus_age, "Since this process last heard the bus."),
        (
            "devices.outbox.age",
            _from_database(outbox.oldest_due),
            "For how long the oldest e-mail is due.",
        ),
        (
            "devices.cleanup.age",
            _from_database(cleanup.oldest_due),
            "For how long the oldest ended session is due to be deleted.",
        ),
    ):
        meter.create_observable_gauge(name, [ask], "s", text)


def _lookups(options: CallbackOptions) -> Iterable[Observation]:
    if conf.LIVENESS == "cached":
        yield Observation(session_cache.hits, {"result": "hit"})
        yield Observation(session_cache.misses, {"result": "miss"})


def _bus_age(options: CallbackOptions) -> Iterable[Observation]:
    if (age := invalidation.age()) is not None:
        yield Observation(age)


def _from_database(ask: Callable[[], float]) -> Ages:
    """Queries the database in a thread of its own, outside of any transaction."""

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        found: list[Observation] = []

        def run() -> None:
            try:
                found.append(Observation(ask()))
            except Error as error:
                logger.warning("An age is not known: %s", error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run, name="devices-metrics")
        thread.start()
        thread.join()
        return found

    return observe
