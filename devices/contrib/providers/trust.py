"""Which providers are believed, and by which keys: DEVICES["PROVIDERS"]."""

import http.client
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import jwt
from jwt.types import Options

from devices.conf import conf
from devices.core.clocks import NEVER, Moment
from devices.core.jws import JWS, name_of_key

logger = logging.getLogger("devices")

# A secret that both know is no proof of who signed (RFC 8725 §3.1).
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
# Seconds after which keys are read anew; between two readings for an unknown key, or after one that failed.
FRESH: Final = 300.0
RETRY: Final = 30.0
# Seconds for which keys count that cannot be read anew: one may have been withdrawn meanwhile.
LONGEST: Final = 86_400.0
# Claims that are a NumericDate (RFC 7519 §2), and the last second that is one of a date.
TIMES: Final = ("iat", "nbf", "exp")
LAST: Final = 253_402_300_799
# Which claims are looked at, once the signature is known to be good.
_CLAIMS: Final[Options] = {
    "verify_signature": False,
    "require": ["iss", "aud", "iat", "jti"],
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": True,
    "verify_aud": True,
    "verify_iss": True,
}
# By how much a provider's clock may differ from ours.
LEEWAY: Final = timedelta(seconds=60)
# Seconds that a provider has to answer.
PATIENCE: Final = 5


class Refused(Exception):
    """What was sent is not believed; `code` is that of RFC 8935 §2.4."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class KeysAway(Exception):
    """The keys of a provider cannot be read just now."""


@dataclass(frozen=True)
class Provider:
    """A provider in the settings. `name` is the sign-in method of its users' sessions."""

    name: str
    issuers: tuple[str, ...]
    audience: tuple[str, ...]
    jwks_url: str
    # Where its events are polled, `url` and `authorization`; None: it pushes them.
    poll: Mapping[str, Any] | None


def providers() -> list[Provider]:
    """Return the identity providers of DEVICES["PROVIDERS"]."""
    return [
        Provider(
            name,
            _several(given["issuer"]),
            _several(given["audience"]),
            given["jwks_url"],
            given.get("poll"),
        )
        for name, given in conf.PROVIDERS.items()
    ]


def read(text: str, types: Sequence[str | None]) -> tuple[Provider, dict[str, Any]]:
    """The claims of a JWT that one of the providers signed for us, with a header of one of these types.

    Its issuer says whose keys count, and nothing in the header does but the name of one of them. Raises
    Refused or KeysAway.
    """
    try:
        header = jwt.get_unverified_header(text)
        said = jwt.decode(text, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Refused("invalid_request", "It is no JWT.") from error
    typ = header.get("typ")
    kind = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    if kind not in types:
        raise Refused("invalid_request", "It is a JWT of another type.")
    issuer = said.get("iss")
    provider = next((each for each in providers() if issuer in each.issuers), None)
    if provider is None:
        raise Refused("invalid_issuer", "The issuer is none that is known here.")
    _demand_times_and_texts(said)
    if header.get("alg") not in ALGORITHMS:
        raise Refused("invalid_key", "The algorithm is none that is believed.")
    key = _key(provider, header.get("kid"), header["alg"])
    try:
        JWS.decode(text, key.key, [header["alg"]])
        claims = jwt.decode(
            text,
            audience=provider.audience,
            issuer=provider.issuers,
            leeway=LEEWAY,
            options=_CLAIMS,
        )
    except jwt.InvalidAudienceError as error:
        raise Refused("invalid_audience", "It is for somebody else.") from error
    except (jwt.InvalidSignatureError, jwt.InvalidKeyError, jwt.InvalidAlgorithmError) as error:
        raise Refused("invalid_key", "The signature is not by a key of the issuer.") from error
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Refused("invalid_request", "Its claims are not in order.") from error
    return provider, claims


def _demand_times_and_texts(said: Mapping[str, Any]) -> None:
    """Raises Refused for a time that is no date, and for text that no database holds.

    PyJWT also takes `true` and "1700000000" for times, and those of other ages.
    """
    for name in TIMES:
        value = said.get(name, 0)
        if type(value) not in (int, float) or not 0 <= value <= LAST:
            raise Refused("invalid_request", f"`{name}` is no time.")
    try:
        # A lone surrogate ("\ud800") cannot be encoded.
        text = json.dumps(said, ensure_ascii=False).encode()
    except ValueError as error:
        raise Refused("invalid_request", "It holds text that is none.") from error
    if rb"\u0000" in text:
        raise Refused("invalid_request", "It holds text that is none.")


# The keys of a provider, as it publishes them (RFC 7517).
Keys = list[dict[str, Any]]


class Known(NamedTuple):
    """What is known of the keys at a URL, and since when."""

    # When they were read last, or tried to be; and when for a key that was not among them.
    asked: Moment = NEVER
    searched: Moment = NEVER
    # When the provider last answered, and what. None: it has not.
    read_at: Moment = NEVER
    keys: Keys | None = None


_known: dict[str, Known] = {}
_lock = threading.Lock()


def reset() -> None:
    """Forget the keys that were read."""
    _known.clear()


def _key(provider: Provider, kid: Any, algorithm: str) -> jwt.PyJWK:
    """The key of this name for this algorithm. Raises KeysAway, or Refused if there is none."""
    for age in (FRESH, RETRY):
        if key := _find(_keys(provider.jwks_url, age), kid, algorithm):
            return key
    raise Refused("invalid_key", "The key is none of the issuer's.")


def _find(keys: Keys, kid: Any, algorithm: str) -> jwt.PyJWK | None:
    """A key need not say which algorithm it is for, and a token need not name the only key there is."""
    usable = [each for data in keys if (each := _usable(data, algorithm)) is not None]
    if kid is None:
        return usable[0] if len(usable) == 1 else None
    return next((key for key in usable if isinstance(kid, str) and key.key_id == kid), None)


def _usable(data: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """The key, if it verifies signatures by this algorithm."""
    name = name_of_key(algorithm)
    said = data.get("alg")
    is_for_it = said is None or (isinstance(said, str) and name_of_key(said) == name)
    if data.get("use") not in (None, "sig") or not is_for_it:
        return None
    try:
        return jwt.PyJWK(data, name)
    except jwt.PyJWTError:
        return None


def _keys(url: str, age: float) -> Keys:
    """The keys of a provider, at most so old. Raises KeysAway.

    Anybody may name an issuer and a key. So a provider is asked for one that is missing no more often than
    every RETRY seconds, also if it is away, and nobody waits for an answer that another waits for.
    """
    keys, is_due = _held(url, age)
    if is_due and _lock.acquire(blocking=False):
        try:
            keys, is_due = _held(url, age)
            if is_due:
                keys = _read_keys(url, age, keys)
        finally:
            _lock.release()
    elif is_due and age < FRESH:
        raise KeysAway("They are being read.")
    if keys is None:
        raise KeysAway("They could not be read.")
    return keys


def _held(url: str, age: float) -> tuple[Keys | None, bool]:
    """The keys that are known, and whether they are to be read anew.

    A key may be missing just after they were read: a provider that has other keys tells of a logout once.
    """
    known = _known.get(url, Known())
    keys = None if known.read_at.age() >= LONGEST else known.keys
    if keys is None:
        return None, known.asked.age() >= RETRY
    return keys, (known.asked if age == FRESH else known.searched).age() >= age


def _read_keys(url: str, age: float, keys: Keys | None) -> Keys | None:
    """The keys as they are now, or, if they cannot be read, those that are known."""
    known = _known.get(url, Known())
    read_at = known.read_at
    try:
        keys = fetch(url)
        read_at = Moment.now()
    except (jwt.PyJWTError, ValueError, OSError, http.client.HTTPException) as error:
        logger.warning("The keys at %s cannot be read: %s", url, error)
    now = Moment.now()
    _known[url] = Known(now, known.searched if age == FRESH else now, read_at, keys)
    return keys


def fetch(url: str) -> Keys:
    """Download a provider's keys. Raises PyJWTError."""
    found = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=PATIENCE).fetch_data()
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise jwt.PyJWKSetError("It is no set of keys.")
    return [key for key in keys if isinstance(key, dict)]


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def subject_of(claims: Mapping[str, Any], event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whom an event is about: in the SET (RFC 9493 §4.1), or in the event, as before SSF 1.0 was final."""
    for given in (claims.get("sub_id"), event.get("subject")):
        if isinstance(given, Mapping):
            return given
    return {}
