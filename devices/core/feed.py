"""The feed of ended sessions for services: signed messages, each starting where the last one ended."""

import asyncio
import hashlib
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from asgiref.sync import sync_to_async
from rest_framework_simplejwt import settings as simplejwt

from devices.conf import conf

from . import ended
from .keys import keyring

# RFC 8725 §3.11: so that nothing accepts it as another type of token.
TYPE: Final = "devices-feed+jwt"
# Ended sessions in one message; some 300 KB.
LIMIT: Final = 5_000
# Seconds between two looks at the database, for each who waits.
LOOK: Final = 0.2


class Message(NamedTuple):
    """A signed answer of the feed, and the cursor that it leads to."""

    # A JWS.
    text: str
    cursor: str


class Listener(NamedTuple):
    """A service that listens, and the number it chose so that no older message can pass for a new one."""

    service: str
    nonce: str


_waiting = 0
_lock = threading.Lock()


@contextmanager
def a_place() -> Iterator[bool]:
    """Whether one more may wait in this process, for as long as the block lasts (FEED_WAITERS)."""
    global _waiting
    with _lock:
        has_place = _waiting < conf.FEED_WAITERS
        _waiting += has_place
    try:
        yield has_place
    finally:
        with _lock:
            _waiting -= has_place


def has_place() -> bool:
    """Return whether another request may wait for news (FEED_WAITERS)."""
    return _waiting < conf.FEED_WAITERS


def wait(listener: Listener, cursor: str | None, seconds: float) -> Message:
    """The next message: at once if there is something to tell, else when there is, or after so many seconds.

    Raises KeysUnavailable if no key signs that services could verify.
    """
    began, keys = time.monotonic(), keyring.current()
    while True:
        waited = time.monotonic() - began
        page = ended.read(cursor, LIMIT)
        if waited >= seconds or has_news(page, keys):
            return tell(listener, cursor, page, waited)
        time.sleep(min(LOOK, seconds - waited))


async def await_next(listener: Listener, cursor: str | None, seconds: float) -> Message:
    """As `wait`, but no thread is held while nothing happens."""
    began, keys = time.monotonic(), await sync_to_async(keyring.current)()
    while True:
        waited = time.monotonic() - began
        page = await sync_to_async(ended.read)(cursor, LIMIT)
        if waited >= seconds or await sync_to_async(has_news)(page, keys):
            return await sync_to_async(tell)(listener, cursor, page, waited)
        await asyncio.sleep(min(LOOK, seconds - waited))


def has_news(page: ended.Page, keys: keyring.Keyring | None) -> bool:
    """Whether something has ended, or the keys are no longer these."""
    return bool(page.is_reset or page.sessions or page.keys) or keyring.current() is not keys


def tell(listener: Listener, cursor: str | None, page: ended.Page, waited: float) -> Message:
    """The message that continues a cursor with this page, read so long after the request came.

    Raises KeysUnavailable.
    """
    keys, key = keyring.for_services()
    payload = {
        "iss": simplejwt.api_settings.ISSUER,
        "aud": listener.service,
        "iat": int(time.time()),
        "nonce": listener.nonce,
        # Rather too little than too much.
        "waited": math.floor(waited * 1000) / 1000,
        "since": cursor,
        "cursor": page.cursor,
        "reset": page.is_reset,
        "more": page.has_more,
        "ended": page.sessions,
        "keys": page.keys,
        "jwks": jwks_digest(keys),
    }
    return Message(key.encode(payload, TYPE), page.cursor)


def jwks_digest(keys: keyring.Keyring) -> str:
    """By which a service sees that the public keys are others than those it has."""
    names = sorted(key.kid for key in keys.keys if key.public_jwk is not None)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()
