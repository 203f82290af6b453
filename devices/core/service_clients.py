"""Services with a name and a secret of their own (confidential clients, RFC 6749 §2.1): SERVICE_CLIENTS."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.core import signing

from devices.conf import conf
from devices.core import throttling
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event

# What a service may be allowed to do.
PERMISSIONS: Final = ("introspect", "revoke", "feed", "ssf")
# Scopes of access tokens (CAEP interoperability profile 1.0), by the permission that they take.
READ: Final = "ssf.read"
MANAGE: Final = "ssf.manage"
SCOPES: Final = {"ssf": (READ, MANAGE)}
# For so long an access token of a service is good.
TOKEN_AGE: Final = timedelta(minutes=10)
PREFIX: Final = "sha256$"
# Compared with where there is no such service, so that both take as long.
_NOBODY: Final = (PREFIX + "0" * 64,)
_SALT: Final = "devices.service_token"


class ServiceClient(NamedTuple):
    """A service that has proved its name, and its permissions."""

    name: str
    may: frozenset[str]
    # The digest of the secret by which it did.
    digest: str

    @property
    def scopes(self) -> list[str]:
        """The scopes that its access tokens may have."""
        return [
            scope for permission in SCOPES for scope in SCOPES[permission] if permission in self.may
        ]


def new_secret() -> tuple[str, str]:
    """A secret of 256 random bits, and the digest of it that SERVICE_CLIENTS holds."""
    secret = secrets.token_urlsafe(32)
    return secret, digest(secret)


def digest(secret: str) -> str:
    """One fast hash is enough for what was drawn at random, and is asked at each call."""
    return PREFIX + hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def authenticate(name: str, secret: str, client: Client) -> ServiceClient | None:
    """The service of this name and secret; None if there is none. In constant time.

    Raises TooManyAttempts instead of None for an address that has failed too often. A right secret is let in
    all the same: it cannot be guessed, and nobody shall lock a service out.
    """
    given = conf.SERVICE_CLIENTS.get(name)
    known = digests(given) if given else _NOBODY
    found = digest(secret)
    # All of them, so that the time does not tell which.
    matches = [each for each in known if hmac.compare_digest(found, each)]
    if given and matches:
        return _service(name, given, matches[0])
    # A name that is none of ours may be a secret in the wrong place.
    _count_failure(name if given else "", client)
    return None


def issue_token(service: ServiceClient, scopes: Iterable[str]) -> str:
    """An access token for a service (RFC 6749 §4.4), which only this site can read.

    It is no JWT, so that nobody takes it for a token of a person. It ends with the secret that it came by.
    """
    said = [service.name, digest(service.digest), sorted(scopes)]
    return signing.dumps(said, salt=_SALT)


def read_token(token: str, client: Client) -> tuple[ServiceClient, frozenset[str]] | None:
    """The service that an access token is of, and its scopes; None if it is not good any more.

    Raises TooManyAttempts for an address that has sent too many that never were.
    """
    try:
        name, stamp, scopes = signing.loads(token, salt=_SALT, max_age=TOKEN_AGE)
    except signing.SignatureExpired:
        return None
    except signing.BadSignature:
        _count_failure("", client)
        return None
    given = conf.SERVICE_CLIENTS.get(name)
    if not given:
        return None
    for secret in digests(given):
        if digest(secret) == stamp:
            service = _service(name, given, secret)
            return service, frozenset(scopes).intersection(service.scopes)
    return None


def _service(name: str, given: dict[str, Any], secret: str) -> ServiceClient:
    return ServiceClient(name, frozenset(given.get("may", ("introspect",))), secret)


def _count_failure(name: str, client: Client) -> None:
    security_log.log(Event.SERVICE_REFUSED, client=client, service=name)
    throttling.count_service_failure(client)


def digests(given: dict[str, Any]) -> Sequence[str]:
    """The digests of a service's secrets: more than one while they change."""
    value = given["secret"]
    return (value,) if isinstance(value, str) else tuple(value)
