"""Deletes some rows past their retention each hour, in the process that sends e-mails.

A site with a scheduler runs `cleanup_sessions`, which leaves nothing to do here.
"""

from functools import partial
from itertools import islice
from typing import Final

from django.utils import timezone

from devices.conf import conf

from . import device_codes, ended, throttling, trusted_devices
from .binding import replay
from .liveness import db_triggers
from .log import counters, failures
from .notifications import outbox, worker
from .retention import anonymization, cleanup
from .risk import login_history
from .staff import statistics

# Mails wait for it where one thread does both, so that each round is short.
BATCH: Final = 200
BATCHES: Final = 10


@worker.periodic("devices.upkeep", minute="17")
def hourly() -> None:
    """One round, by every process that sends mails: rows that another holds are left to it."""
    tidy()


def tidy() -> int:
    """Delete or shorten up to BATCHES * BATCH rows of each kind past its retention, and return how many."""
    ways = (
        cleanup.purge(batch_size=BATCH),
        cleanup.purge_activities(batch_size=BATCH),
        anonymization.age(batch_size=BATCH),
        *(iter(partial(forget, BATCH), 0) for forget in PURGES),
    )
    db_triggers.make_up()
    done = sum(sum(islice(cleanup.unhurried(way), BATCHES)) for way in ways)
    counters.purge()
    if conf.IP_RETENTION_DAYS is not None:
        statistics.clear(timezone.now() - conf.IP_RETENTION_DAYS)
    return done


PURGES: Final = (
    throttling.purge,
    failures.purge,
    outbox.purge,
    login_history.purge,
    replay.purge,
    ended.purge,
    trusted_devices.purge,
    device_codes.purge,
)
