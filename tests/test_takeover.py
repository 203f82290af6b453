"""What a stranger reaches who has one thing of somebody's: the table of docs/security.md, played."""

import os
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from tests.takeover import REACHES, STARTS, World, play

DEPTH = int(os.environ.get("TAKEOVER_DEPTH", "3"))


def table():
    """By what the stranger has: what they reach of an account without, and with, a second factor."""
    text = (Path(django_settings.BASE_DIR) / "docs" / "security.md").read_text()
    section = text.split("### What an attacker can reach\n")[1].split("\n#")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return {
        has: [set() if cell == "nothing" else set(cell.split(", ")) for cell in cells]
        for has, *cells in lines[2:]
    }


@pytest.mark.parametrize("has_factor", [False, True], ids=["no factor", "factor"])
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.has)
def test_takeover_a_stranger_reaches_what_the_table_says(db, clock, settings, start, has_factor):
    settings.ACCOUNT_RATE_LIMITS = False
    reached, ways = play(World(clock, factor=has_factor), start, DEPTH)
    assert reached <= set(REACHES)
    expected = table()[start.has][has_factor]
    # Less than four verbs may reach less.
    assert reached == expected if DEPTH == 4 else reached <= expected, ways
    if start.has != "the mailbox" or has_factor:
        assert "for good" not in reached, ways
