"""Packages that are older than a part needs are named before a login fails for it."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from devices.checks.versions import NEEDED, check

ALLAUTH = {
    "DEVICES": {"LOGIN_PROOF": "devices.contrib.allauth.proof_of"},
    "ACCOUNT_ADAPTER": "devices.contrib.allauth.AccountAdapter",
}


def installed(monkeypatch, version):
    """Have each package in this version; None for none."""

    def look_up(package):
        if version is None:
            raise metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(metadata, "version", look_up)


def reported():
    return [each.msg for each in run_checks(tags=["devices"]) if each.id == "devices.E156"]


@pytest.mark.parametrize(
    ("version", "is_too_old"),
    [("65.19.0", True), ("65.22", True), ("9.99.9", True), ("65.22.1", False), ("66.0", False)],
)
def test_an_older_package_is_reported_where_a_part_needs_a_newer_one(
    monkeypatch, version, is_too_old
):
    installed(monkeypatch, version)
    monkeypatch.delitem(sys.modules, "devices.contrib.allauth", raising=False)
    with override_settings(**ALLAUTH):
        found = [each for each in reported() if each.startswith("django-allauth ")]
    assert [version in each and "65.22.1" in each for each in found] == [True] * is_too_old


def test_nothing_else_is_checked_which_would_import_what_the_package_lacks(monkeypatch):
    installed(monkeypatch, "65.19.0")
    with override_settings(**ALLAUTH, SECRET_KEY="short", SESSION_ENGINE="none"):
        assert {each.id for each in run_checks(tags=["devices"])} == {"devices.E156"}


def test_a_part_that_is_not_used_needs_nothing(monkeypatch):
    installed(monkeypatch, "0.1")
    for module, *_ in NEEDED:
        monkeypatch.delitem(sys.modules, module, raising=False)
    with override_settings(
        DEVICES={}, ACCOUNT_ADAPTER="shop.Adapter", HEADLESS_TOKEN_STRATEGY="shop.Tokens"
    ):
        assert list(check()) == []


def test_a_package_that_is_not_installed_is_left_to_the_import(monkeypatch):
    installed(monkeypatch, None)
    assert reported() == []


def test_pip_is_told_the_same():
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for module, package, needed in NEEDED:
        extra = extras[module.rpartition(".")[2].replace("_", "-")]
        assert f"{package}>={needed}" in {re.sub(r"\[.*\]", "", each) for each in extra}
