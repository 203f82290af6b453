"""Packages that send or store what is none of theirs to know."""

import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

PLAIN = {"include_local_variables": False, "max_request_body_size": "never"}


def reported_ids():
    return {each.id for each in run_checks(tags=["devices"])}


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({}, False),
        ({"include_local_variables": True}, True),
        ({"max_request_body_size": "medium"}, True),
        (None, False),
    ],
)
def test_sentry_gets_no_tokens(monkeypatch, changes, reported):
    client = SimpleNamespace(is_active=lambda: changes is not None, options=PLAIN | (changes or {}))
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace(get_client=lambda: client))
    assert ("devices.W136" in reported_ids()) is reported


def test_a_sentry_before_2_is_not_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace())
    assert "devices.W136" not in reported_ids()
