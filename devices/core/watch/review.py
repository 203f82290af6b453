"""The link "was this you?": which session it asks about, for how long, and what it is signed with."""

import uuid
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urljoin

from django.core import signing
from django.urls import NoReverseMatch, reverse

from devices.conf import conf
from devices.exceptions import ReviewLinkExpired, ReviewLinkInvalid

LIFETIME: Final = timedelta(days=7)
# Ours have 80; whoever sends more is not worth a hash.
LONGEST: Final = 200
# Of the link's query.
TOKEN: Final = "token"


def token_of(session_id: uuid.UUID) -> str:
    """What asks about this one session. It opens nothing and signs nobody in."""
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

    The token stands in the query: Django writes the path of each refused request into the log.
    """
    link = page("devices-review")
    return f"{link}?{urlencode({TOKEN: token_of(session_id)})}" if link else ""


def password_url() -> str:
    """Where people get another password, without signing in: as a path, or as a whole URL in settings."""
    name = conf.PASSWORD_RESET_URL
    if name and "/" in name:
        return name
    for candidate in [name] if name else ["account_reset_password", "password_reset"]:
        try:
            return reverse(candidate)
        except NoReverseMatch:
            continue
    return ""


def page(name: str, *args: str) -> str:
    """The whole URL of a page of the site."""
    try:
        return absolute(reverse(name, args=args))
    except NoReverseMatch:
        return ""


def absolute(path: str) -> str:
    """A path as a whole URL, by SITE_URL alone: what a request calls the host is the sender's word."""
    return urljoin(conf.SITE_URL + "/", path) if conf.SITE_URL and path else ""


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="devices.review")
