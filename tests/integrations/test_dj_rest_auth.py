"""docs/integrations/dj-rest-auth.md, played with dj-rest-auth and allauth."""

import pytest

from .shop import blocks, compare, lines, play

pytest.importorskip("dj_rest_auth", reason="needs dj-rest-auth: make test-integrations")

PAGE = "integrations/dj-rest-auth"


def test_dj_rest_auth_with_tokens_in_the_header(tmp_path):
    for name, seen in play("dj_rest_auth_story", tmp_path, *blocks(PAGE)).items():
        compare(name, lines(blocks(PAGE)[:2] if name == "dj-rest-auth" else blocks(PAGE)), seen)


def test_dj_rest_auth_with_tokens_in_cookies(tmp_path):
    more = blocks(PAGE, "cookies")
    for name, seen in play(
        "dj_rest_auth_story", tmp_path, *blocks(PAGE), *more, kind="cookies"
    ).items():
        compare(name, lines([*blocks(PAGE)[:2], *more]), seen)
