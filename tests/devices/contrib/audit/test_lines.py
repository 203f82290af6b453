"""The lines of the security log are chained: what is changed, removed or reordered is found, and where."""

import json
import logging
import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.contrib.audit import lines
from devices.contrib.audit.checkpoints import BEGINNING, digest
from devices.contrib.audit.formatters import ChainedFormatter
from devices.core.log import security_log
from devices.core.log.security_log import Event


@pytest.fixture
def log(db):
    """log(n): n lines, as one process writes them."""

    def log(n):
        written = StringIO()
        handler = logging.StreamHandler(written)
        handler.setFormatter(
            ChainedFormatter("pythonjsonlogger.json.JsonFormatter", timestamp="time")
        )
        logger = logging.getLogger("devices.security")
        logger.addHandler(handler)
        level, logger.level = logger.level, logging.INFO
        try:
            for i in range(n):
                security_log.log(Event.SESSION_STARTED, user_id=i, method="päss\u2028word")
        finally:
            logger.removeHandler(handler)
            logger.level = level
        return written.getvalue().splitlines()

    return log


def verify(*files, known=(), closed=()):
    named = [(f"log.{at}", each) for at, each in enumerate(files, 1)]
    return lines.verify(named, known, closed)


def chain(line):
    return json.loads(line)["chain"]


def test_what_is_as_it_was_written_is_in_order(log):
    one, two = log(3), log(2)
    mixed = [one[0], two[0], one[1], two[1], one[2]]
    report = verify(mixed)
    assert report[:2] == ([], 5)
    assert {each.number for each in report.checkpoints} == {3, 2}
    assert verify(mixed[:2], mixed[2:], known=report.checkpoints).problems == []
    said = json.loads(one[0])
    assert (said["event"], said["user"], said["method"]) == (
        "session.started",
        "0",
        "päss\u2028word",
    )


def test_V16_4_2_a_changed_line_is_found_where_it_is(log):
    written = log(4)
    written[2] = written[2].replace('"user": "2"', '"user": "7"')
    assert verify(written).problems == [
        "log.1:3: it was changed",
        f"log.1:4: before it, 1 of chain {chain(written[0])} were removed",
    ]


def test_V16_4_2_a_changed_line_with_a_new_hash_is_found_by_the_next(log):
    written = log(3)
    line = json.loads(written[1]) | {"user": "7"}
    del line["hash"]
    written[1] = json.dumps(line | {"hash": lines.digest(line)})
    assert verify(written).problems == ["log.1:3: it does not go on from the one before it"]


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"hash": 1}', "null", '{"hash": "", "chain": []}']
)
def test_V16_4_2_what_is_no_line_is_found(log, text):
    written = log(2)
    found = verify([written[0], text, written[1]]).problems
    assert found == ["log.1:2: it cannot be read"]


def test_V16_4_2_a_line_that_nests_too_deeply_hides_no_other(log):
    written = log(3)
    deep = '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    changed = written[2].replace('"user": "2"', '"user": "3"')
    found = verify([written[0], deep, written[1], changed]).problems
    assert found == ["log.1:2: it cannot be read", "log.1:4: it was changed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": "x\ndevices-checkpoint chain=y number=1 at=- hash=" + "0" * 64},
        {"chain": "x number=9"},
        {"chain": "\x1b[2J"},
        {"chain": ""},
        {"number": True},
        {"number": 10**30},
    ],
    ids=ascii,
)
def test_V16_4_2_what_could_pass_for_a_checkpoint_is_no_line(changes):
    """Anybody can calculate a hash: a line of a new chain must not bring along checkpoints of its own."""
    line = {"time": "-", "chain": "x", "number": 1, "previous": BEGINNING}
    good = json.dumps(line | {"hash": digest(line)})
    assert verify([good]).problems == []
    line |= changes
    report = verify([json.dumps(line | {"hash": digest(line)})])
    assert report.problems == ["log.1:1: it cannot be read"]
    assert report.checkpoints == []
    line = {"time": "a\ndevices-checkpoint", "chain": "x", "number": 1, "previous": BEGINNING}
    (checkpoint,) = verify([json.dumps(line | {"hash": digest(line)})]).checkpoints
    assert checkpoint.at == "-"


def test_V16_4_2_removed_lines_are_found(log):
    written = log(6)
    name = chain(written[0])
    gap = f"before it, 2 of chain {name} were removed"
    assert verify(written[:2] + written[4:]).problems == [f"log.1:3: {gap}"]
    assert verify(written[2:]).problems == [f"log.1:1: {gap}"]


def test_V16_4_2_lines_in_another_order_or_twice_are_found(log):
    written = log(3)
    name = chain(written[0])
    assert verify([written[0], written[2], written[1]]).problems == [
        f"log.1:2: before it, 1 of chain {name} were removed",
        f"log.1:3: number 2 of chain {name} comes after 3",
    ]
    assert verify([written[0], written[1], written[1]]).problems == [
        f"log.1:3: number 2 of chain {name} comes after 2"
    ]


def test_V16_4_2_a_log_that_is_cut_off_does_not_fit_a_checkpoint(log):
    written, whole = log(4), log(2)
    kept = verify(written, whole).checkpoints
    problems = verify(written[:3], known=kept).problems
    assert [each.split(":")[0] for each in problems] == [
        f"chain {chain(written[0])}",
        f"chain {chain(whole[0])}",
    ]
    assert "number 4 is not there" in problems[0]
    assert verify(written, whole, known=kept).problems == []


def test_V16_4_2_a_log_that_is_written_anew_does_not_fit_a_checkpoint(log):
    written = log(3)
    (kept,) = verify(written).checkpoints
    other = [json.loads(line) for line in log(3)]
    previous, forged = "0" * 64, []
    for line in other:
        del line["hash"]
        line |= {"chain": kept.chain, "previous": previous}
        previous = lines.digest(line)
        forged.append(json.dumps(line | {"hash": previous}))
    assert verify(forged).problems == []
    assert verify(forged, known=[kept]).problems == [
        f"log.1:3: it is not what the checkpoint of {kept.at} knows"
    ]


def test_files_that_were_closed_by_a_checkpoint_may_be_deleted(log):
    gone, written = log(3), log(6)
    kept = verify(gone, written[:4]).checkpoints
    assert len(verify(written[4:]).problems) == 1
    assert verify(written[4:], closed=kept).problems == []
    assert verify(written[2:], known=kept, closed=kept).problems == []
    # Under that cover no more may go.
    assert verify(written[5:], closed=kept).problems == [
        f"log.1:1: before it, 1 of chain {chain(written[0])} were removed"
    ]


def test_a_fork_begins_a_chain_of_its_own(tmp_path):
    code = """
import logging, os
from devices.contrib.audit.formatters import ChainedFormatter
handler = logging.FileHandler(os.environ["FILE"])
handler.setFormatter(ChainedFormatter())
log = logging.getLogger("x")
log.addHandler(handler)
log.error("parent")
if os.fork() == 0:
    log.error("child")
    os._exit(0)
os.wait()
log.error("parent")
"""
    file = tmp_path / "log"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "FILE": str(file)}, check=True)
    report = verify(file.read_text().splitlines())
    assert report[:2] == ([], 3)
    assert sorted(each.number for each in report.checkpoints) == [1, 2]


def test_the_command_reads_files(log, tmp_path):
    written = log(3)
    first, second = tmp_path / "security.log.1", tmp_path / "security.log"
    first.write_text("\n".join(written[:2]) + "\n")
    second.write_text(written[2] + "\n")
    out, err = StringIO(), StringIO()
    call_command("verify_log", str(first), str(second), "--checkpoint", stdout=out, stderr=err)
    assert err.getvalue() == "3 lines are unchanged.\n"
    kept = tmp_path / "kept"
    kept.write_text(out.getvalue())
    second.write_text("")
    out = StringIO()
    with pytest.raises(CommandError, match="1 found"):
        call_command("verify_log", str(first), str(second), "--against", str(kept), stdout=out)
    assert "number 3 is not there" in out.getvalue()
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("verify_log", str(tmp_path / "none"))
