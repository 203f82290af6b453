"""Which device this is, again: a digest that is the same at each login from one device. Pure.

It groups the sessions of one user, whose key is part of it; it opens nothing.
"""

import hashlib
from typing import Any

from .client import Client, Label, os_family


def proven_key(user_id: Any, client: Client) -> str:
    """The key of a device that nobody else can pass for, "" if it has shown nothing like that.

    An app brings the id it was installed with, a browser the cookie it was given. Two front ends in one
    browser have two sessions, so for a browser the page's origin counts as well.
    """
    if client.app_id:
        return _digest("app", user_id, client.app_id)
    if client.browser_id:
        return _digest("browser", user_id, client.browser_id, client.origin)
    return ""


def likeness(user_id: Any, label: Label) -> str:
    """The key of a device that shows no more than what it is like.

    Without versions, so that an update makes no other device, and without the address, which phones change
    all day. Another device of the same make has the same key.
    """
    return _digest("like", user_id, label.browser, os_family(label.os), label.device_type)


def _digest(*parts: Any) -> str:
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
