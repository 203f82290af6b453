"""One message of the site's feed, and the checks before it is accepted."""

import json
import math
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import jwt

from .errors import FeedRefused
from .keys import Keys, decode

TYPE: Final = frozenset({"devices-feed+jwt"})
MAX_CURSOR: Final = 32_768


@dataclass(frozen=True)
class Message:
    """A verified answer of the feed."""

    cursor: str
    has_more: bool
    # Until when tokens may live, in seconds since the epoch, of sessions and of keys.
    ended: dict[str, float]
    keys: dict[str, float]
    jwks: str
    # Seconds for which the site held the question back before it looked for the last time.
    waited: float


def read(
    text: bytes, keys: Keys, *, issuer: str, client_id: str, nonce: str, since: str | None
) -> Message:
    """A message that the site signed for us, as the answer to this very question. Raises FeedRefused.

    The nonce shows that it is not an older one, `since` that it goes on where we are: so none was left out,
    repeated or put in another order.
    """
    try:
        said, _ = decode(
            text,
            keys,
            TYPE,
            audience=client_id,
            issuer=issuer,
            options={"require": ["iss", "aud"], "verify_iat": False, "strict_aud": True},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise FeedRefused(f"A message is not the site's: {type(error).__name__}.") from error
    if said.get("nonce") != nonce:
        raise FeedRefused("A message answers another question.")
    if said.get("since") != since or "since" not in said:
        raise FeedRefused("A message does not go on where the last one ended.")
    cursor, more = said.get("cursor"), said.get("more")
    if (
        not isinstance(cursor, str)
        or not 0 < len(cursor) <= MAX_CURSOR
        or not isinstance(more, bool)
    ):
        raise FeedRefused("A message has no cursor.")
    waited = said.get("waited")
    if not _is_number(waited) or waited < 0:
        raise FeedRefused("A message is not whole.")
    ended, withdrawn = _times(said.get("ended")), _times(said.get("keys"))
    return Message(cursor, more, ended, withdrawn, str(said.get("jwks")), waited)


def _times(given: Any) -> dict[str, float]:
    if not isinstance(given, dict) or not all(map(_is_number, given.values())):
        raise FeedRefused(f"A message is not whole: {json.dumps(given)[:40]}.")
    return given


def _is_number(given: Any) -> TypeGuard[float]:
    """Not NaN either, which is neither before nor after any time."""
    return type(given) in (int, float) and math.isfinite(given)
