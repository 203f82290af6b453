"""Asks identity providers for the events that they do not push (RFC 8936): `poll` in DEVICES["PROVIDERS"]."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from devices.core import database

from . import ending, trust
from .trust import Provider, Refused

# Events in an answer, and answers at one time. What is left comes with the next run.
MOST: Final = 100
ROUNDS: Final = 100
# Of an answer, in bytes.
LONGEST: Final = 4_000_000


class Away(Exception):
    """A provider gave no answer that can be read."""


def poll(provider: Provider) -> int:
    """Take all that a provider has to tell; how many sessions it ended.

    What is taken, or refused, is acknowledged with the next question. If that is lost, the events come again,
    and find nothing left to end. Raises Away or KeysAway.
    """
    ended, taken, errors = 0, list[str](), dict[str, Any]()
    for _ in range(ROUNDS):
        sets = _next(provider, {"ack": taken, "setErrs": errors})
        if not sets:
            break
        taken, errors = [], {}
        for jti, text in sets.items():
            try:
                ended += _take(provider, text)
                taken.append(jti)
            except Refused as error:
                errors[jti] = {"err": error.code, "description": str(error)}
    return ended


def _take(provider: Provider, text: str) -> int:
    teller, claims = trust.read(text, ("secevent+jwt",))
    if teller != provider:
        raise Refused("invalid_issuer", "It is another provider's.")
    # A provider tells once, whichever tenant's sessions it means.
    return sum(ending.by_events(provider, claims) for _ in database.each_schema())


def _next(provider: Provider, answers: Mapping[str, Any]) -> dict[str, str]:
    said = ask(provider, {**answers, "maxEvents": MOST, "returnImmediately": True})
    sets = said.get("sets") if isinstance(said, dict) else None
    if not isinstance(sets, dict) or not all(isinstance(text, str) for text in sets.values()):
        raise Away("The answer has no events.")
    return sets


class _NoRedirect(HTTPRedirectHandler):
    # The secret goes to nobody else.
    def redirect_request(self, *args: Any) -> None:
        return None


def ask(provider: Provider, body: Mapping[str, Any]) -> Any:
    """Send a question to a provider, and read its answer. Raises Away."""
    given = provider.poll or {}
    secret = given["authorization"]
    headers = {
        "Authorization": secret() if callable(secret) else secret,
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    request = Request(given["url"], json.dumps(body).encode(), headers, method="POST")
    try:
        with build_opener(_NoRedirect).open(request, timeout=trust.PATIENCE) as answer:
            text = answer.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise Away("The answer is too large.")
        return json.loads(text)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        if isinstance(error, HTTPError):
            # It is an answer, which holds its connection.
            error.close()
        raise Away(f"{type(error).__name__}: {error}") from error
