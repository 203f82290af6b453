"""Device Bound Session Credentials: challenges, the proofs that answer them, and the cookie they renew.

The protocol is the W3C draft https://w3c.github.io/webappsec-dbsc/ of 17 February 2026, and what Chromium 156
does; docs/dbsc.md tells where they differ.
"""

import re
import uuid
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.utils.crypto import constant_time_compare, salted_hmac

from devices.models import DeviceSession

from . import keys, proofs
from .keys import InvalidKey, Key
from .proofs import InvalidProof

TYPE: Final = "dbsc+jwt"
# What the protocol knows besides "none".
ALGORITHMS: Final = ("ES256", "RS256")
_BY_KEY_TYPE: Final = {"EC": "ES256", "RSA": "RS256"}

# A TPM may take seconds to make a key, and the browser begins at once.
REGISTRATION_AGE: Final = timedelta(minutes=5)
# The browser answers a challenge at once, too. One that waits could be signed now and used elsewhere later.
CHALLENGE_AGE: Final = timedelta(minutes=1)
# For requests that the browser sent while its cookie was still good: a tenth of its age, and the second by
# which the signature may be early, having whole ones.
_LEEWAY: Final = timedelta(seconds=1)

# Browsers take a cookie of this prefix from this very host alone, for all its paths, and over HTTPS.
COOKIE: Final = "__Host-device_bound_"
_COOKIE_NAME: Final = re.compile(COOKIE + "[0-9a-f]{12}")


class StaleChallenge(InvalidProof):
    """The proof is right, and answers a challenge that is none, is too old, or has been answered before."""


def identifier_of(session_id: uuid.UUID) -> str:
    """The browser's name for a session: unique for a whole domain, and known to this browser only."""
    return identifiers_of(session_id)[0]


def identifiers_of(session_id: uuid.UUID) -> list[str]:
    """That name, and those of former secret keys: the browser goes by the name it was told first."""
    salt, keys = "devices.dbsc.identifier", (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (salted_hmac(salt, session_id.hex, key, algorithm="sha256") for key in keys)
    return [digest.hexdigest()[:32] for digest in digests]


def cookie_name(session_id: uuid.UUID) -> str:
    """The name of the bound cookie of a session.

    Each has its own: of two sessions with one cookie Chromium renews one alone, by the order of their names.
    """
    return COOKIE + session_id.hex[:12]


def is_cookie_name(name: str) -> bool:
    """Whether this is the name of a bound cookie."""
    return _COOKIE_NAME.fullmatch(name) is not None


def registration_challenge(session: DeviceSession) -> str:
    """Make what a browser signs to bind this session. Good once: a bound session is not bound again."""
    return _registrations().sign(session.pk.hex)


def read_registration(raw: str) -> tuple[Key, uuid.UUID]:
    """Check a proof that brings a new key, and for which session. Raises InvalidProof, StaleChallenge."""
    proof = proofs.verify(raw, typ=TYPE)
    _check_algorithm(proof.key)
    challenge = _challenge_of(proof)
    try:
        return proof.key, uuid.UUID(_registrations().unsign(challenge, max_age=REGISTRATION_AGE))
    except (BadSignature, ValueError) as error:
        raise StaleChallenge("The challenge is too old, or none of ours.") from error


def challenge(session: DeviceSession) -> str:
    """Make what the browser signs to renew the cookie. Good once: a renewal counts `binding_proofs` on."""
    return _challenges().sign(f"{session.pk.hex}.{session.binding_proofs}")


def check_proof(raw: str, session: DeviceSession) -> None:
    """Check that a proof is signed by the session's key, and answers its current challenge.

    A key in its header is not looked at. Raises InvalidProof, and StaleChallenge if only the challenge is
    wrong.
    """
    proof = proofs.verify(raw, typ=TYPE, key=_key_of(session))
    challenge = _challenge_of(proof)
    try:
        text = _challenges().unsign(challenge, max_age=CHALLENGE_AGE)
    except BadSignature as error:
        raise StaleChallenge("The challenge is too old, or none of ours.") from error
    if text != f"{session.pk.hex}.{session.binding_proofs}":
        raise StaleChallenge("The challenge is another session's, or has been answered.")


def cookie_of(session: DeviceSession) -> str:
    """Make the value of the bound cookie: which session it was renewed for, by which key, and when."""
    return _cookies().sign(_subject(session))


def check_cookie(value: str, session: DeviceSession, max_age: timedelta) -> None:
    """Check that a bound cookie is this session's and not too old. Raises InvalidProof."""
    try:
        subject = _cookies().unsign(value, max_age=max_age * 1.1 + _LEEWAY)
    except BadSignature as error:
        raise InvalidProof("The bound cookie is missing, expired, or none of ours.") from error
    if not constant_time_compare(subject, _subject(session)):
        raise InvalidProof("The bound cookie is another session's.")


def _subject(session: DeviceSession) -> str:
    return f"{session.pk.hex}.{session.binding_key}"


def _key_of(session: DeviceSession) -> Key:
    jwk = session.binding_jwk or {}
    try:
        return keys.parse(jwk, _BY_KEY_TYPE.get(jwk.get("kty", ""), ""))
    except InvalidKey as error:
        raise InvalidProof("The session is not bound to a key.") from error


def _check_algorithm(key: Key) -> None:
    if key.algorithm not in ALGORITHMS:
        raise InvalidProof("The proof is not signed by an algorithm of the protocol.")


def _challenge_of(proof: proofs.Proof) -> str:
    jti = proof.claims.get("jti")
    if not isinstance(jti, str):
        raise InvalidProof("The proof names no challenge.")
    return jti


# One salt each: none of the three is taken for another.


def _registrations() -> TimestampSigner:
    return TimestampSigner(salt="devices.dbsc.registration")


def _challenges() -> TimestampSigner:
    return TimestampSigner(salt="devices.dbsc.challenge")


def _cookies() -> TimestampSigner:
    return TimestampSigner(salt="devices.dbsc.cookie")
