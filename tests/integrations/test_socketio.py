"""docs/recipes/socketio.md, played with python-socketio and uvicorn."""

import pytest

from .shop import blocks, play

pytest.importorskip("socketio", reason="needs python-socketio: make test-integrations")
pytest.importorskip("uvicorn", reason="needs the package uvicorn: make test-integrations")


def test_socketio(tmp_path):
    assert play("socketio_story", tmp_path, *blocks("recipes/socketio")) == {}
