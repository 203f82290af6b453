"""docs/recipes/mcp.md, played with django-oauth-toolkit, FastMCP and the client of the package mcp."""

import pytest

from tests.ports import free_port

from .shop import blocks, play

pytest.importorskip("oauth2_provider", reason="needs django-oauth-toolkit: make test-integrations")
pytest.importorskip("fastmcp", reason="needs fastmcp: make test-integrations")

MORE = """
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
"""


def test_mcp(tmp_path):
    urls = {
        f"https://{name}.example.org": f"http://127.0.0.1:{free_port()}" for name in ("shop", "mcp")
    }
    added = []
    for path, text in [*blocks("integrations/oauth-toolkit"), *blocks("recipes/mcp")]:
        for url, here in urls.items():
            text = text.replace(url, here)
        added.append((path, text))
    assert play("mcp_story", tmp_path, *added, ("shop/settings.py", MORE)) == {}
