"""How the keys that sign tokens change: by turns, so that nobody notices, or at once when one is stolen."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.utils import timezone

from devices.conf import conf
from devices.core import database, ended
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.exceptions import KeysUnavailable
from devices.models import KeyState, SigningKey

from . import encryption, keyring
from .key import Key, from_text, generate, to_text
from .keyring import JWKS_MAX_AGE, SIMPLEJWT, STALE

# What the last tokens of a key may outlive it by: processes that have not heard yet, and the longest LEEWAY.
SLACK = timedelta(minutes=2)


class TooEarly(Exception):
    """The next key was published so lately that others may not know it yet."""


class Busy(Exception):
    """Another process is changing the keys. Try again."""


def rotate(algorithm: str | None = None, *, now: bool = False) -> SigningKey | None:
    """Let the next key sign, retire the one that did, and publish another one; the key that signs now.

    None if there was no next key: it is published by this, and signs from the next call on. A retired key
    verifies until its last token has expired. `algorithm` is that of the key to be made. `now` does not wait
    until others may have read the next key, but for our own processes only. Raises TooEarly, Busy, and
    KeysUnavailable if the keys are not in the database.
    """
    _demand_database()
    following = _find(KeyState.NEXT)
    if following is not None:
        _wait(following, now)
    try:
        with database.atomic():
            rows = _lock()
            following = rows.get(KeyState.NEXT)
            at = timezone.now()
            if following is not None:
                if algorithm is None:
                    algorithm = following.algorithm
                _retire(rows.get(KeyState.SIGNING), at)
                _let_sign(following, at)
            _make(algorithm or "ES256")
            _prune(at)
    except IntegrityError as error:
        raise Busy from error
    keyring.reset()
    if following is not None:
        security_log.log(Event.KEY_ROTATED, kid=following.kid)
    return following


def withdraw(kid: str) -> bool:
    """Refuse every token of a key from now on, in all processes within a second.

    If it was signing, the next key signs. The name may be that of any key of SIGNING_KEYS, or "simplejwt".
    False if it was withdrawn before. Raises Busy, and KeysUnavailable if there is no such key, or none that
    could sign in its place.
    """
    keys = keyring.current()
    if keys is None:
        raise KeysUnavailable("SIGNING_KEYS is not set.")
    known = keys.find(kid)
    if known is None and kid != SIMPLEJWT and not SigningKey.objects.filter(kid=kid).exists():
        raise KeysUnavailable(f"There is no key {kid}.")
    _demand_another(keys, kid)
    if (following := _find(KeyState.NEXT)) is not None:
        _wait(following, now=True)
    try:
        with database.atomic():
            rows = _lock()
            row = SigningKey.objects.filter(kid=kid).first()
            if row is None:
                row = SigningKey(kid=kid, algorithm=known.algorithm if known else "")
            elif row.state == KeyState.WITHDRAWN:
                return False
            was, at = row.state, timezone.now()
            row.state, row.withdrawn_at, row.material = KeyState.WITHDRAWN, at, ""
            row.save()
            ended.record_key(kid)
            database.commit_durably()
            if conf.SIGNING_KEYS == "database":
                _fill_in(was, rows, at)
    except IntegrityError as error:
        raise Busy from error
    keyring.reset()
    security_log.log(Event.KEY_WITHDRAWN, kid=kid)
    return True


def _fill_in(was: str, rows: dict[str, SigningKey], at: datetime) -> None:
    """Let the next key take the place of one that is withdrawn, and make another next one."""
    following = rows.get(KeyState.NEXT)
    if was == KeyState.SIGNING and following is not None:
        _let_sign(following, at)
    if was in (KeyState.SIGNING, KeyState.NEXT) and following is not None:
        _make(following.algorithm)


def _let_sign(following: SigningKey, at: datetime) -> None:
    following.state, following.signing_since = KeyState.SIGNING, at
    following.save(update_fields=["state", "signing_since"])


def _demand_another(keys: keyring.Keyring, kid: str) -> None:
    signing = keys.signing
    if signing is None and kid == SIMPLEJWT:
        raise KeysUnavailable("It signs, and no other key is there to: rotate first.")
    if signing is not None and signing.kid == kid and conf.SIGNING_KEYS != "database":
        raise KeysUnavailable("It signs: let another key of SIGNING_KEYS do so first.")


def _demand_database() -> None:
    if conf.SIGNING_KEYS != "database":
        raise KeysUnavailable('Keys are rotated here where SIGNING_KEYS is "database".')


def _wait(following: SigningKey, now: bool) -> None:
    known_for = timezone.now() - following.created_at
    if not now and known_for < JWKS_MAX_AGE:
        raise TooEarly(int((JWKS_MAX_AGE - known_for).total_seconds()) + 1)
    # Our own processes have to know it in any case. A clock that was ahead when it was made says nothing.
    time.sleep(max(0.0, STALE + 0.1 - max(0.0, known_for.total_seconds())))


def _find(state: KeyState) -> SigningKey | None:
    return SigningKey.objects.filter(state=state).first()


def _lock() -> dict[str, SigningKey]:
    """The key that signs and the next one, locked until commit, by their states."""
    states = (KeyState.SIGNING, KeyState.NEXT)
    rows: Sequence[SigningKey] = list(
        SigningKey.objects.filter(state__in=states).select_for_update().order_by("kid")
    )
    return {row.state: row for row in rows}


def _make(algorithm: str) -> None:
    key: Key = generate(algorithm, KeyState.NEXT)
    material = encryption.encrypt(to_text(key, with_private=True))
    SigningKey.objects.create(
        kid=key.kid, algorithm=algorithm, state=KeyState.NEXT, material=material
    )


def _retire(signing: SigningKey | None, at: datetime) -> None:
    until = at + max(conf.IDLE_LIMIT, conf.ACCESS_LIFETIME) + SLACK
    if signing is None:
        # Nothing but SimpleJWT's key has signed so far.
        SigningKey.objects.get_or_create(
            kid=SIMPLEJWT,
            defaults={"state": KeyState.RETIRED, "retired_at": at, "accepted_until": until},
        )
        return
    # It verifies and signs no more: what could is not kept.
    key = from_text(encryption.decrypt(signing.material), KeyState.RETIRED, until)
    signing.material = encryption.encrypt(to_text(key, with_private=False))
    signing.state, signing.retired_at, signing.accepted_until = KeyState.RETIRED, at, until
    signing.save(update_fields=["material", "state", "retired_at", "accepted_until"])


def _prune(at: datetime) -> None:
    """Delete keys whose last token has expired. SimpleJWT's own would count again without its row."""
    past = SigningKey.objects.filter(state=KeyState.RETIRED, accepted_until__lt=at)
    past.exclude(kid=SIMPLEJWT).delete()
