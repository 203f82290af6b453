"""SITE_NAME stands wherever the site names itself, also where something went wrong."""

import pytest
from django.contrib import admin
from django.template.loader import render_to_string
from django.test import Client as Browser

NAME = "Acme & Sons"


@pytest.fixture(autouse=True)
def name(settings, monkeypatch):
    settings.SITE_NAME = NAME


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/docs", "/nowhere/"])
def test_pages_bear_the_sites_name(db, path):
    page = Browser().get(path).content.decode()
    assert 'height="22">Acme &amp; Sons</a>' in page
    assert "· devices</title>" not in page and "<title>devices</title>" not in page


@pytest.mark.parametrize("template", ["500.html", "503.html"])
def test_so_do_pages_that_are_made_without_a_request(template):
    assert 'height="22">Acme &amp; Sons</a>' in render_to_string(template)


def test_so_does_the_admin(settings):
    assert admin.site.site_header == admin.site.site_title == "devices"
