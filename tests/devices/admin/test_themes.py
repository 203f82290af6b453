"""The style sheet of the app's pages in an admin whose theme brings none of Django's colours."""

import re
from pathlib import Path

from django.contrib.admin import site
from django.test import RequestFactory

import devices
from tests.devices.admin.pages import page_of

SHEET = (Path(devices.__file__).parent / "static/devices/admin.css").read_text()


def test_each_colour_is_there_without_djangos_own():
    [given] = re.findall(r":where\(:root\) \{(.*?)\}", SHEET, re.DOTALL)
    assert set(re.findall(r"var\((--[\w-]+)\)", SHEET)) == set(re.findall(r"(--[\w-]+):", given))


def test_no_class_is_one_that_scripts_of_a_theme_look_for():
    # django-unfold draws into each `.chart`.
    assert not re.search(r"\.chart\b", SHEET)


def test_the_button_works_outside_of_the_form(revoker, start, alice):
    """Where django-unfold has the line of buttons."""
    page = revoker.get(page_of(start(alice))).content.decode()
    [line] = re.findall(r'<input type="hidden" name="action".*?Revoke…">', page, re.DOTALL)
    fields = re.findall(r"<input [^>]*>", line)
    assert len(fields) == 3
    assert all('form="devicesession_form"' in field for field in fields)


def test_each_filter_has_a_name_for_itself(root):
    """django-unfold asks for it, and answers 500 to a list with a filter that has none."""
    request = RequestFactory().get("/")
    request.user = root
    ours = [each for model, each in site._registry.items() if model._meta.app_label == "devices"]
    filters = [one for each in ours for one in each.get_list_filter(request)]
    assert filters
    for one in filters:
        kind = one[-1] if isinstance(one, (list, tuple)) else one
        assert isinstance(kind, str) or hasattr(kind, "parameter_name"), kind
