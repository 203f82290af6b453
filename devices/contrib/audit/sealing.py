"""Appends to the chain. Nothing waits for it: lines are written as ever, and sealed within a minute.

The only writer of ChainLink. Two that append at once draw the same position, and the database lets one of
them have it.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.notifications import worker
from devices.models import Activity

from . import commitments
from .checkpoints import BEGINNING, digest
from .models import ChainLink

logger = logging.getLogger(__name__)

BATCH: Final = 500
# A transaction that writes a line is not open for longer. What turns up later is found by `verify_log`.
LATE: Final = timedelta(days=1)
# How often an erasure tries again where others append, too.
ATTEMPTS: Final = 100
# What an erasure takes: the whole line, or who did it.
LINE: Final = "line"


class Busy(Exception):
    """Others have appended all the time."""


class New(NamedTuple):
    """A link that is to be appended."""

    body: dict[str, Any]
    salts: dict[str, str] = {}
    activity_id: int | None = None


@worker.periodic("devices.audit.seal")
def each_minute() -> None:
    """Seal what was written, and drop what has aged, by whichever process comes first."""
    seal()
    drop_salts()
    prune()


def seal() -> int:
    """Append all new entries of staff, and return how many."""
    sealed = 0
    while lines := list(pending()[:BATCH]):
        try:
            append(_link_of(line) for line in lines)
        except IntegrityError:
            # Somebody else is at it.
            break
        sealed += len(lines)
    return sealed


def pending() -> Any:
    """The lines that are still to be sealed."""
    newest = ChainLink.objects.filter(activity_id__isnull=False).order_by("-position").first()
    lines = unsealed()
    return lines if newest is None else lines.filter(at__gte=newest.sealed_at - LATE)


def unsealed() -> Any:
    """The same with those that came too late to be sealed."""
    lines = Activity.objects.filter(actor__isnull=False).order_by("pk")
    return lines.filter(~Exists(ChainLink.objects.filter(activity_id=OuterRef("pk"))))


def record_erasure(user_id: Any) -> None:
    """Note in the chain which lines an erasure takes, or takes a name out of; in its transaction.

    Without it, the deletion of a line is reported. Raises Busy.
    """
    _seal_surely(user_id)
    for part, lines in (
        (LINE, Activity.objects.filter(user_id=user_id)),
        (commitments.ACTOR, Activity.objects.filter(actor_id=user_id).exclude(user_id=user_id)),
    ):
        links = ChainLink.objects.filter(activity_id__in=lines.values("pk"))
        if positions := sorted(links.values_list("position", flat=True)):
            _append_surely(New({"erased": positions, "part": part}))
            for link in ChainLink.objects.filter(position__in=positions):
                link.salts = {} if part == LINE else _without(link.salts, commitments.ACTOR)
                link.save(update_fields=["salts"])


def drop_salts() -> None:
    """Delete the salts of old details, so that nobody can guess them."""
    if conf.IP_RETENTION_DAYS is None:
        return
    before = timezone.now() - conf.IP_RETENTION_DAYS
    due = ChainLink.objects.filter(sealed_at__lt=before, salts__has_key=commitments.WHOLE)
    while links := list(due.order_by("position")[:BATCH]):
        for link in links:
            link.salts = _without(link.salts, commitments.WHOLE)
        ChainLink.objects.bulk_update(links, ["salts"])


def prune() -> None:
    """Delete links whose lines are past their retention; a link of its own closes them."""
    retention, oldest = conf.ACTIVITY_RETENTION_DAYS, ChainLink.objects.order_by("position").first()
    # A day's worth or more at once, so that what closes them is not most of the chain.
    before = None if retention is None else timezone.now() - retention - LATE
    if before is None or oldest is None or oldest.sealed_at >= before - LATE:
        return
    last = ChainLink.objects.filter(sealed_at__lt=before).order_by("-position").first()
    if last is None:
        return
    said = {
        "pruned": last.position,
        "hash": last.hash,
        "until": commitments.moment(last.sealed_at),
    }
    try:
        with database.atomic():
            append([New(said)])
            ChainLink.objects.filter(position__lte=last.position).delete()
    except IntegrityError:
        logger.info("Another process appends to the chain; its old links are deleted in a minute.")


def append(new: Iterable[New]) -> None:
    """Append links. Raises IntegrityError if somebody else does just now, and then appends none."""
    with database.atomic():
        last = ChainLink.objects.order_by("-position").first()
        first, previous = (1, BEGINNING) if last is None else (last.position + 1, last.hash)
        links, now = list[ChainLink](), timezone.now()
        for position, each in enumerate(new, first):
            found = hash_of(position, each.activity_id, now, each.body, previous)
            links.append(
                ChainLink(
                    position=position,
                    activity_id=each.activity_id,
                    sealed_at=now,
                    body=each.body,
                    salts=each.salts,
                    previous=previous,
                    hash=found,
                )
            )
            previous = found
        ChainLink.objects.bulk_create(links)


def hash_of(
    position: int,
    activity_id: int | None,
    sealed_at: datetime,
    body: dict[str, Any],
    previous: str,
) -> str:
    """The hash of a link: over everything but the salts, and over the one before it."""
    return digest([position, activity_id, commitments.moment(sealed_at), body, previous])


def _seal_surely(user_id: Any) -> None:
    """Seal every line of this person, or that they left: one without its actor would never be."""
    theirs = Q(user_id=user_id) | Q(actor_id=user_id)
    for _ in range(ATTEMPTS):
        seal()
        # Another may have been at it, with lines that it saw before.
        if not pending().filter(theirs).exists():
            return
    raise Busy


def _append_surely(new: New) -> None:
    for _ in range(ATTEMPTS):
        try:
            append([new])
        except IntegrityError:
            continue
        return
    raise Busy


def _link_of(line: Activity) -> New:
    body, salts = commitments.commit(line)
    return New({"at": commitments.moment(line.at), **body}, salts, line.pk)


def _without(salts: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in salts.items() if key != name}
