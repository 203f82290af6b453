"""Which device this is, again: a digest that is the same at each login from one device. Pure.

It groups the sessions of one user, whose key is part of it; it opens nothing.
"""

import hashlib
from dataclasses import replace
from typing import Any, Final

from .client import Client, Label, os_family

# In place of a page's origin, for sessions that are held in a cookie: a browser has one of it for the site,
# signed in to by a form of its own or on the way back from another site. No origin is spelled like this.
PAGES: Final = "pages"


def proven_key(user_id: Any, client: Client, thumbprint: str = "") -> str:
    """The key of a device that nobody else can forge, "" if the client has shown none.

    A device that has just proved to hold the key of this thumbprint is known by that. Else an app brings the
    id it was installed with, a browser the cookie it was given. Two front ends in one browser have two
    sessions, so for a browser the page's origin counts as well.
    """
    if thumbprint:
        return _digest("key", user_id, thumbprint)
    if client.app_id:
        return _digest("app", user_id, client.app_id)
    if client.browser_id:
        return _digest("browser", user_id, client.browser_id, client.origin)
    return ""


def proven_keys(user_id: Any, client: Client) -> list[str]:
    """All keys that this device has: a browser's, of the page that asks and of the pages with cookies."""
    keys = {proven_key(user_id, client), proven_key(user_id, replace(client, origin=PAGES))}
    return sorted(keys - {""})


def fingerprint(user_id: Any, label: Label) -> str:
    """The key of a device that shows no more than what it is like.

    Without versions, so that an update makes no other device, and without the address, which phones change
    all day. Another device of the same make has the same key.
    """
    return _digest("like", user_id, label.browser, os_family(label.os), label.device_type)


def _digest(*parts: Any) -> str:
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
