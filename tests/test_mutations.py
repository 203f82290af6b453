"""The mutants fit the code there is: each finds its one place, and its tests. `make mutants` runs them."""

import ast

import pytest

from tests.mutations import MUTANTS, ON_CITUS, ROOT


@pytest.mark.parametrize("mutant", [*MUTANTS, *ON_CITUS], ids=lambda mutant: mutant.without)
def test_R20_a_mutant_finds_its_place(mutant):
    source = (ROOT / mutant.file).read_text()
    assert source.count(mutant.old) == 1
    assert mutant.old != mutant.new
    if mutant.file.endswith(".py"):
        # Else its tests do not even begin, and it counts as one that survives.
        ast.parse(source.replace(mutant.old, mutant.new))
    for place in mutant.tests.split():
        assert place.startswith("tests/") and (ROOT / place).exists(), place
