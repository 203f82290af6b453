"""Effect, door and proof: each cell of the table in docs/security.md, executed through HTTP."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings

from tests.matrix import FIRST_PASSWORD, MATRIX, STATES, Site, as_markdown

CELLS = [
    pytest.param(row, state, cell, id=f"{row.effect}-{row.door}-{state}")
    for row in MATRIX
    for state, cell in zip(STATES, row.cells, strict=True)
    if cell != "–"
]


@pytest.mark.parametrize(("row", "state", "cell"), CELLS)
def test_V7_5_1_each_effect_takes_at_each_entry_point_the_proof_of_the_table(
    alice, loopback, settings, row, state, cell
):
    settings.SOCIALACCOUNT_PROVIDERS = loopback.settings()
    site = Site(alice, state, provider=loopback, first_password=row.effect == FIRST_PASSWORD)
    before = site.facts()
    answer = row.act(site)
    happened = site.facts() != before
    assert happened == (cell == "yes"), (answer.status_code, answer.content)
    if cell == "no":
        assert answer.status_code in (200, 400)
    if cell == "asks":
        # Said in the way of the door, so that whoever is the owner can go on.
        assert answer.status_code in (302, 400, 401)
        if row.door == "mail":
            assert 'name="code"' in answer.content.decode()
        elif row.door == "API":
            assert answer.json()["code"] == "insufficient_user_authentication"
            assert "max_age" in answer["WWW-Authenticate"]
        elif row.door == "app":
            assert answer.json()["meta"]["is_authenticated"] is True
        else:
            assert "confirm" in answer["Location"] or "reauthenticate" in answer["Location"]


def test_the_table_in_the_document_is_the_one_that_is_executed():
    text = (Path(django_settings.BASE_DIR) / "docs" / "security.md").read_text()
    section = text.split("### Which action needs which proof\n")[1].split("\n#")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    assert table[0] == f"| action | where | {' | '.join(STATES)} |"
    assert table[2:] == as_markdown()
