"""Whether the chain in the database is whole, and whether the lines are those that it commits to."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.utils import timezone

from devices.conf import conf
from devices.models import Activity

from . import commitments, sealing
from .checkpoints import BEGINNING, DATABASE, Checkpoint
from .commitments import ACTOR, AGED, FIXED, WHOLE, of
from .models import ChainLink


class Report(NamedTuple):
    """The result of verifying the chain in the database."""

    # What was found, the first of it first; empty: nothing.
    problems: list[str]
    links: int
    # Not sealed yet.
    pending: int
    # The end of the chain.
    end: Checkpoint | None


class _Doubt(NamedTuple):
    """What is right if it was erased, and wrong if not."""

    position: int
    part: str
    problem: str


def verify(known: Iterable[Checkpoint] = ()) -> Report:
    """Read the whole chain with its lines, and compare it with the checkpoints that were kept elsewhere."""
    newest = ChainLink.objects.order_by("-position").first()
    end = 0 if newest is None else newest.position
    hashes = {each.number: each for each in known if each.chain == DATABASE}
    problems, doubts = list[str](), list[_Doubt]()
    count = 0
    for link, found in _walk(end):
        count += 1
        for each in found:
            if isinstance(each, _Doubt):
                doubts.append(each)
            else:
                problems.append(each)
        checkpoint = hashes.pop(link.position, None)
        if checkpoint is not None and checkpoint.hash != link.hash:
            problems.append(
                f"{link.position}: it is not what the checkpoint of {checkpoint.at} knows;"
                " the chain was rewritten here or before"
            )
    problems += _unmatched(hashes.values(), end)
    # Asked last: what is erased meanwhile is in order, too.
    erased = _erased()
    problems += [each.problem for each in doubts if each.position not in erased[each.part]]
    problems += [
        f"line {line.pk}: {line.kind} of {line.at.isoformat()} was put in later, or kept from the chain"
        for line in _strays(newest)
    ]
    return Report(problems, count, sealing.pending().count(), _checkpoint(newest))


def _checkpoint(last: ChainLink | None) -> Checkpoint | None:
    if last is None:
        return None
    return Checkpoint(DATABASE, last.position, commitments.moment(last.sealed_at), last.hash)


def _walk(end: int) -> Iterator[tuple[ChainLink, list[str | _Doubt]]]:
    """Each link with what is wrong about it."""
    links = ChainLink.objects.filter(position__lte=end).order_by("position")
    expected, previous = _start()
    rest = links.iterator(chunk_size=sealing.BATCH)
    while batch := list(islice(rest, sealing.BATCH)):
        ids = [link.activity_id for link in batch if link.activity_id is not None]
        lines = Activity.objects.in_bulk(ids)
        for link in batch:
            found = list[str | _Doubt]()
            if link.position != expected:
                what = (
                    str(expected)
                    if link.position == expected + 1
                    else f"{expected}–{link.position - 1}"
                )
                found.append(f"{what}: removed from the chain")
            elif link.previous != previous:
                found.append(f"{link.position}: it does not go on from the one before it")
            own = sealing.hash_of(
                link.position, link.activity_id, link.sealed_at, link.body, link.previous
            )
            if own != link.hash:
                found.append(f"{link.position}: the link was changed")
            elif link.activity_id is not None:
                found += _line_problems(link, lines.get(link.activity_id))
            yield link, found
            expected, previous = link.position + 1, link.hash


def _start() -> tuple[int, str]:
    """Where the chain has to begin: with the first link, or after those that were deleted for their age."""
    pruned = _pruned()
    if pruned is None:
        return 1, BEGINNING
    return pruned.body["pruned"] + 1, pruned.body["hash"]


def _pruned() -> ChainLink | None:
    return ChainLink.objects.filter(body__has_key="pruned").order_by("-position").first()


def _line_problems(link: ChainLink, line: Activity | None) -> Iterator[str | _Doubt]:
    at, where = datetime.fromisoformat(link.body["at"]), f"{link.position}: line {link.activity_id}"
    if line is None:
        if not _is_past(at, conf.ACTIVITY_RETENTION_DAYS):
            yield _Doubt(link.position, sealing.LINE, f"{where} was removed")
        return
    now, salts, body = commitments.parts(line), link.salts, link.body
    if not {FIXED, AGED} <= set(salts):
        yield f"{where}: its salts were removed"
        return
    if ACTOR not in salts or of(salts[ACTOR], now[ACTOR]) != body[ACTOR]:
        problem = f"{where}: who did it was changed"
        # An erasure takes the name out, and puts none in.
        yield _Doubt(link.position, ACTOR, problem) if now[ACTOR] == [None, None] else problem
    is_whole = WHOLE in salts and of(salts[WHOLE], now[WHOLE]) == body[WHOLE]
    is_aged = now[WHOLE] == now[AGED] and (
        WHOLE not in salts or _is_past(at, conf.IP_RETENTION_DAYS)
    )
    is_same = (
        of(salts[FIXED], now[FIXED]) == body[FIXED] and of(salts[AGED], now[AGED]) == body[AGED]
    )
    if not (is_same and (is_whole or is_aged)):
        yield f"{where} was changed"


def _is_past(at: datetime, retention: timedelta | None) -> bool:
    return retention is not None and at < timezone.now() - retention


def _unmatched(known: Iterable[Checkpoint], end: int) -> Iterator[str]:
    """What checkpoints say of links that are not there any more."""
    pruned, retention = _pruned(), conf.ACTIVITY_RETENTION_DAYS
    for each in known:
        if each.number > end:
            yield (
                f"{end}: the chain ends here, and the checkpoint of {each.at} knows {each.number};"
                " its end was cut off"
            )
        elif pruned is None or each.number > pruned.body["pruned"]:
            yield f"{each.number}: the checkpoint of {each.at} knows it; it was removed from the chain"
        elif retention is None or datetime.fromisoformat(each.at) > pruned.sealed_at - retention:
            yield f"{each.number}: deleted before its time, as the checkpoint of {each.at} shows"
        elif each.number == pruned.body["pruned"] and each.hash != pruned.body["hash"]:
            yield f"{each.number}: it was not what the checkpoint of {each.at} knows"


def _erased() -> dict[str, set[int]]:
    erased: dict[str, set[int]] = {sealing.LINE: set(), ACTOR: set()}
    for body in ChainLink.objects.filter(body__has_key="erased").values_list("body", flat=True):
        erased[body["part"]] |= set(body["erased"])
    return erased


def _strays(newest: ChainLink | None) -> Any:
    """Lines of staff that are older than what is still to be sealed, and in no link."""
    if newest is None:
        return Activity.objects.none()
    return sealing.unsealed().exclude(pk__in=sealing.pending().values("pk"))
