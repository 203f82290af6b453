"""The link "was this you?": which session it asks about, for how long, and what it is signed with."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from django.conf import settings
from django.core import signing
from django.urls import NoReverseMatch, get_script_prefix, reverse

from devices.conf import conf
from devices.exceptions import ReviewLinkExpired, ReviewLinkInvalid

LIFETIME: Final = timedelta(days=7)
# Ours have 80; longer ones are refused before they are hashed.
LONGEST: Final = 200
# Of the link's query.
TOKEN: Final = "token"


def token_of(session_id: uuid.UUID) -> str:
    """The token for the question about one session. It grants no access."""
    return _signer().sign(session_id.hex)


def session_of(token: str) -> uuid.UUID:
    """The session a link asks about. Raises ReviewLinkInvalid or ReviewLinkExpired."""
    if len(token) > LONGEST or not token.isascii():
        raise ReviewLinkInvalid
    try:
        return uuid.UUID(hex=_signer().unsign(token, max_age=LIFETIME))
    except signing.SignatureExpired as error:
        raise ReviewLinkExpired from error
    except (signing.BadSignature, ValueError) as error:
        raise ReviewLinkInvalid from error


def url_of(session_id: uuid.UUID) -> str:
    """The whole link, or "" where the site has not said where it is, or has no such page.

    The token is in the query, because Django logs the path of each refused request.
    """
    link = page("devices:review")
    return f"{link}?{urlencode({TOKEN: token_of(session_id)})}" if link else ""


def password_url() -> str:
    """Where people get another password, without signing in: as a path, or as a whole URL in settings."""
    named = conf.PASSWORD_RESET_URL or ""
    return named if "/" in named else _first(_path, named)


def change_url() -> str:
    """Where people who are signed in choose another password: a path, or "" where there is no such page."""
    pages = ("account_change_password", "password_change")
    return next(filter(None, map(_path, pages)), "") or password_url()


def password_page() -> str:
    """The same as a whole URL, for mails."""
    named = conf.PASSWORD_RESET_URL or ""
    return urljoin(_site(), named) if "/" in named and conf.SITE_URL else _first(page, named)


def _first(link: Callable[[str], str], named: str) -> str:
    """The first link that there is: to what is named, else to allauth's page or to Django's."""
    candidates = [named] if named else ["account_reset_password", "password_reset"]
    return next(filter(None, map(link, candidates)), "")


def page(name: str) -> str:
    """Return the whole URL of the page of this name, for e-mails; "" if there is none, or no SITE_URL.

    By SITE_URL alone: what a request calls the host is the sender's word. The path of the site is in it,
    too, since what sends mails serves no request that could tell.
    """
    path = _path(name)
    below = path[len(get_script_prefix()) :]
    return _site() + below if conf.SITE_URL and path else ""


def _path(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _site() -> str:
    """SITE_URL with the path that the site is below, and a slash."""
    below = "" if urlsplit(conf.SITE_URL).path else (settings.FORCE_SCRIPT_NAME or "").strip("/")
    return f"{conf.SITE_URL}/{below}/" if below else f"{conf.SITE_URL}/"


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="devices.review")
