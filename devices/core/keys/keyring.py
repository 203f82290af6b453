"""Which keys sign and verify tokens just now.

Each process reads them anew after half a second, and goes by none that it read longer ago than `STALE`. So
a key that is withdrawn is refused everywhere within a second, whatever LIVENESS is.
"""

import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from devices.conf import conf
from devices.core import database
from devices.core.clocks import Moment
from devices.exceptions import KeysUnavailable
from devices.models import KeyState, SigningKey

from . import sources
from .key import Key

# Seconds after which one thread reads the keys anew, and after which all wait for it.
FRESH = 0.5
STALE = 0.9
# For how long others may keep what /.well-known/jwks.json answers.
JWKS_MAX_AGE = timedelta(minutes=5)
# What the key of SIMPLE_JWT["SIGNING_KEY"] is called here. Its tokens have no `kid`, as ever.
SIMPLEJWT = "simplejwt"


@dataclass(frozen=True, eq=False)
class Keyring:
    """The keys at one moment. None of them has been withdrawn, or retired for long.

    As long as nothing about them changes it is the same object, by which others remember what they checked.
    """

    keys: tuple[Key, ...]
    # Whether SimpleJWT's own key, which names itself in no token, still counts.
    accepts_simplejwt: bool

    def find(self, kid: str) -> Key | None:
        """The key of this name that verifies tokens, if there is one."""
        return next((key for key in self.keys if key.kid == kid), None)

    def is_like(self, other: "Keyring") -> bool:
        """Return whether both have the same keys."""
        return (self.keys, self.accepts_simplejwt) == (other.keys, other.accepts_simplejwt)

    @property
    def signing(self) -> Key | None:
        """The key that signs; None: SimpleJWT's own."""
        return next((key for key in self.keys if key.state == KeyState.SIGNING), None)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys, the next one included, in the form of RFC 7517 §5."""
        return {"keys": [jwk for key in self.keys if (jwk := key.public_jwk) is not None]}


class _Held(NamedTuple):
    setting: Any
    keyring: Keyring
    # Before they were read.
    at: Moment


# One for each database or schema that tokens are checked in.
_held: dict[tuple[str, str], _Held] = {}
_lock = threading.Lock()


def current() -> Keyring | None:
    """The keys that count now; None if SIGNING_KEYS is not set, and SimpleJWT's key is the only one.

    Raises KeysUnavailable, or the database's own error, if they cannot be read.
    """
    setting = conf.SIGNING_KEYS
    if setting is None:
        return None
    place = database.place()
    held = _held.get(place)
    if held is None or held.setting is not setting:
        return _refresh(place, setting, must_wait=True)
    age = held.at.age()
    if age < FRESH:
        return held.keyring
    return _refresh(place, setting, must_wait=age >= STALE) or held.keyring


def for_services() -> tuple[Keyring, Key]:
    """The keys that count now, and the one of them that signs what services verify by our JWKS.

    Raises KeysUnavailable if none signs, or only a secret does.
    """
    keys = current()
    key = None if keys is None else keys.signing
    if keys is None or key is None or key.public_jwk is None:
        raise KeysUnavailable("Services need a key that others can verify: see SIGNING_KEYS.")
    return keys, key


def reset() -> None:
    """Forget what was read, so that the next one to ask reads it anew."""
    _held.clear()


def _refresh(place: tuple[str, str], setting: Any, *, must_wait: bool) -> Keyring | None:
    """Read the keys; None if another thread is at it, and there is no need to wait for it."""
    if not _lock.acquire(blocking=must_wait):
        return None
    try:
        held, now = _held.get(place), Moment.now()
        if held is not None and held.setting is setting and held.at.age() < FRESH:
            return held.keyring
        keyring = _read(setting)
        if held is not None and held.keyring.is_like(keyring):
            keyring = held.keyring
        _held[place] = _Held(setting, keyring, now)
        return keyring
    finally:
        _lock.release()


def _read(setting: Any) -> Keyring:
    rows = list(SigningKey.objects.all())
    withdrawn = {row.kid for row in rows if row.state == KeyState.WITHDRAWN}
    try:
        found = sources.load(setting, rows)
    except (KeysUnavailable, DatabaseError, InterfaceError):
        raise
    except Exception as error:  # of the host project's class, of a network behind it
        raise KeysUnavailable(f"{type(error).__name__} while the keys were read.") from error
    keys = [
        key
        for key in found
        if key.kid not in withdrawn and key.state != KeyState.WITHDRAWN and _counts(key)
    ]
    sources.demand_order(keys)
    own = next((row for row in rows if row.kid == SIMPLEJWT), None)
    return Keyring(tuple(keys), SIMPLEJWT not in withdrawn and (own is None or _counts(own)))


def _counts(key: Key | SigningKey) -> bool:
    return key.accepted_until is None or key.accepted_until > timezone.now()


def _after_fork() -> None:
    global _lock
    # Another thread may have held it.
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
