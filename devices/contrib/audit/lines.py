"""Whether lines of the security log, as ChainedFormatter writes them, are all there and as they were."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from . import checkpoints
from .checkpoints import BEGINNING, Checkpoint, digest


class Report(NamedTuple):
    """The result of verifying files of the security log."""

    problems: list[str]
    lines: int
    # The end of each chain.
    checkpoints: list[Checkpoint]


class _Reader:
    def __init__(self, known: Iterable[Checkpoint], closed: Iterable[Checkpoint]) -> None:
        # By the name of a chain: where it continues.
        self.ends: dict[str, Checkpoint] = {}
        for each in closed:
            if each.chain not in self.ends or each.number > self.ends[each.chain].number:
                self.ends[each.chain] = each
        self.closed = dict(self.ends)
        self.known = {(each.chain, each.number): each for each in known}
        self.lines = 0

    def read(self, text: str) -> Iterator[str]:
        """What is wrong with the next line."""
        try:
            line: dict[str, Any] = json.loads(text)
            shown, chain, number = line.pop("hash"), line["chain"], line["number"]
            is_changed = digest(line) != shown
            previous = line["previous"]
            found = Checkpoint(chain, number, checkpoints.time_of(line), shown)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            yield "it cannot be read"
            return
        if is_changed:
            yield "it was changed"
            return
        if type(number) is not int or not checkpoints.is_whole(found):
            yield "it cannot be read"
            return
        self.lines += 1
        end = self.ends.get(chain) or Checkpoint(chain, 0, "", BEGINNING)
        if (
            chain in self.closed
            and number <= self.closed[chain].number
            and end is self.closed[chain]
        ):
            # Of the lines that may be gone this one is still there.
            end = Checkpoint(chain, number - 1, "", previous)
        if number > end.number + 1:
            yield f"before it, {number - end.number - 1} of chain {chain} were removed"
        elif number != end.number + 1:
            yield f"number {number} of chain {chain} comes after {end.number}"
        elif previous != end.hash:
            yield "it does not go on from the one before it"
        checkpoint = self.known.pop((chain, number), found)
        if checkpoint.hash != found.hash:
            yield f"it is not what the checkpoint of {checkpoint.at} knows"
        if number > end.number:
            self.ends[chain] = found

    def missing(self) -> Iterator[str]:
        """What checkpoints know and no line was of."""
        for (chain, number), checkpoint in self.known.items():
            closed = self.closed.get(chain)
            if closed is None or number > closed.number:
                yield (
                    f"chain {chain}: number {number} is not there, which the checkpoint of"
                    f" {checkpoint.at} knows"
                )


def verify(
    files: Iterable[tuple[str, Iterable[str]]],
    known: Iterable[Checkpoint] = (),
    closed: Iterable[Checkpoint] = (),
) -> Report:
    """Read files, the oldest first, each with its name.

    `known` are checkpoints of what has to be there; lines up to those of `closed` may be gone.
    """
    reader, problems = _Reader(known, closed), list[str]()
    for name, lines in files:
        for at, text in enumerate(lines, 1):
            problems += [f"{name}:{at}: {problem}" for problem in reader.read(text)]
    problems += reader.missing()
    return Report(problems, reader.lines, list(reader.ends.values()))
