"""What is past its retention goes by itself, a little each hour, beside the sender of mails.

A site with a scheduler runs `cleanup_sessions`, which leaves nothing to do here.
"""

from functools import partial
from itertools import islice
from typing import Final

from django.utils import timezone
from huey import crontab

from devices.conf import conf

from . import database
from .forget import cleanup, privacy
from .log import tally
from .oversight import figures
from .proof import attempts
from .watch import background, notices, past

# Mails wait for it where one thread does both, so that each round is short.
BATCH: Final = 200
BATCHES: Final = 10


@background.huey.periodic_task(crontab(minute="17"), name="devices.upkeep")  # type: ignore[untyped-decorator]
def hourly() -> None:
    """One round, by every process that sends mails: rows that another holds are left to it."""
    try:
        for _ in database.each_schema():
            tidy()
    finally:
        background.put_connections_back()


def tidy() -> int:
    """Delete or shorten up to BATCHES * BATCH rows of each kind past its retention; how many these were."""
    ways = (
        cleanup.purge(batch_size=BATCH),
        cleanup.purge_activities(batch_size=BATCH),
        privacy.age(batch_size=BATCH),
        *(iter(partial(forget, BATCH), 0) for forget in FORGET),
    )
    done = sum(sum(islice(cleanup.unhurried(way), BATCHES)) for way in ways)
    tally.forget()
    if conf.IP_RETENTION_DAYS is not None:
        figures.forget(timezone.now() - conf.IP_RETENTION_DAYS)
    return done


FORGET: Final = (attempts.forget, notices.forget, past.forget_old)
