"""docs/integrations/djoser.md, played with djoser and social-auth."""

import pytest

from .shop import blocks, compare, lines, play

pytest.importorskip("djoser", reason="needs djoser: make test-integrations")

PAGE = "integrations/djoser"
FACTOR = ("shop/settings.py", 'DEVICES = {"SECOND_FACTOR": "tests.factor.Codes"}\n')
# The other site's account is that of the same address.
LINK = """
from social_core.pipeline import DEFAULT_AUTH_PIPELINE

SOCIAL_AUTH_PIPELINE = [*DEFAULT_AUTH_PIPELINE]
SOCIAL_AUTH_PIPELINE.insert(
    SOCIAL_AUTH_PIPELINE.index("social_core.pipeline.social_auth.social_user") + 1,
    "social_core.pipeline.social_auth.associate_by_email",
)
"""


def test_djoser(tmp_path):
    for name, seen in play(
        "djoser_story", tmp_path, *blocks(PAGE), FACTOR, ("shop/settings.py", LINK)
    ).items():
        compare(name, lines(blocks(PAGE)[:2] if name == "djoser" else blocks(PAGE)), seen)
