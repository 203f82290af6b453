"""One name for one thing: the site's terms stand on the pages of allauth, too, in each language."""

from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client as Browser

WORDS = Path(settings.BASE_DIR) / "project/words"
THEIRS = Path(allauth.__file__).parent / "locale/en/LC_MESSAGES/django.po"


def catalog(path):
    with path.open("rb") as file:
        return {message.id for message in read_po(file) if message.id}


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_of_our_terms_replaces_one_that_allauth_has(language):
    ours = catalog(WORDS / language / "LC_MESSAGES/django.po")
    assert len(ours) > 15
    assert ours - catalog(THEIRS) == set()


@pytest.mark.parametrize(
    ("language", "ours", "theirs"),
    [
        ("en", ["Second factor", "Passkeys", "You have no passkey."], ["Two-Factor", "ecurity"]),
        (
            "de",
            ["Zweiter Faktor", "Passkeys", "Du hast keinen Passkey."],
            ["Zwei-Faktor", "Sicherheitss"],
        ),
    ],
)
def test_the_page_of_the_second_factor_speaks_as_the_site_does(alice, language, ours, theirs):
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    browser = Browser(HTTP_ACCEPT_LANGUAGE=language)
    browser.force_login(alice)
    page = browser.get("/accounts/2fa/").content.decode().split("<main")[1]
    for words in ours:
        assert words in page
    for words in theirs:
        assert words not in page
