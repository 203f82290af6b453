"""DPoP: with each request a client proves anew that it holds the key that its tokens are bound to (RFC 9449).

What is checked is §4.3 of the RFC. What is written down (`replay`) comes last, when everything else holds.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.signing import BadSignature, TimestampSigner
from jwt.utils import base64url_encode

from devices.conf import conf
from devices.exceptions import DPoPNonceRequired, InvalidDPoPProof, KeyNotProved

from . import proofs, replay
from .keys import ALGORITHMS as ALGORITHMS
from .proofs import InvalidProof, Proof

TYPE: Final = "dpop+jwt"
SCHEME: Final = "dpop"  # of the Authorization header, in lower case
JTI_LENGTH: Final = 256
_PORTS: Final = {"http": 80, "https": 443}
# The handshake of a WebSocket is a request of HTTP (RFC 6455 §4.1).
_SCHEMES: Final = {"ws": "http", "wss": "https"}


@dataclass
class Presentation:
    """What came with a request to show that its sender holds a key. One for each request.

    `urls` are the addresses by which the client may know what it asks for. `proved` is what `prove` or
    `begin` found good, so that a request which is asked about twice does not use its proof up twice.
    """

    scheme: str
    proof: str
    method: str
    urls: tuple[str, ...]
    proved: Proof | None = None


def is_required(user: Any, client: Any) -> bool:
    """Whether this user may get tokens on this client only with a proof (setting DPOP).

    None is whoever is not known yet: a function is asked later.
    """
    asked = conf.DPOP
    if callable(asked):
        return user is not None and bool(asked(user, client))
    return asked == "required"


def check_login(presentation: Presentation | None) -> None:
    """Refuse a proof that is not good before a password is tried or a code used up. Uses up nothing.

    Raises InvalidDPoPProof or DPoPNonceRequired.
    """
    if presentation is not None and presentation.proof and conf.DPOP != "off":
        with _token_request():
            _checked(presentation)


def begin(presentation: Presentation | None, user: Any, client: Any) -> str:
    """The thumbprint of the key that a session which begins now is bound to; "" if it is bound to none.

    Raises InvalidDPoPProof, also if none came where one is required, or DPoPNonceRequired.
    """
    if presentation is None or conf.DPOP == "off":
        return ""
    with _token_request():
        if presentation.proof:
            return _used(presentation).key.thumbprint
        if is_required(user, client):
            raise InvalidDPoPProof("proof_missing")
    return ""


def prove(presentation: Presentation | None, thumbprint: str, token: str | bytes | None) -> None:
    """See that the sender of a request holds the key of this thumbprint, for the token that came with it.

    `token` is the access token; None where a refresh token is exchanged, which needs no `ath`. Raises
    KeyNotProved if it was sent as a bearer token, without a proof or with that of another key, else
    InvalidDPoPProof or DPoPNonceRequired.
    """
    if presentation is None:
        raise KeyNotProved("proof_missing")
    if token is not None and presentation.scheme not in ("", SCHEME):
        raise KeyNotProved("bearer")
    if not presentation.proof:
        raise KeyNotProved("proof_missing")
    with _token_request() if token is None else nullcontext():
        proof = presentation.proved or _checked(presentation, thumbprint)
        if proof.key.thumbprint != thumbprint:
            raise KeyNotProved("other_key")
        if token is not None:
            _check_hash(proof, token)
        _used(presentation, proof)


def make_nonce() -> str:
    """A nonce for DPOP_NONCE, which proves that what is signed with it was signed just now."""
    return _signer().sign("n")


def is_due(presentation: Presentation) -> bool:
    """Whether the client of this request should get another nonce: it has none, or not for much longer."""
    proof = presentation.proved
    return proof is None or not _is_nonce(proof.claims.get("nonce"), conf.DPOP_MAX_AGE / 2)


@contextmanager
def _token_request() -> Iterator[None]:
    """Where tokens are given out, a proof that is not good is a bad request (RFC 9449 §5 and §8)."""
    try:
        yield
    except (InvalidDPoPProof, DPoPNonceRequired) as error:
        error.status = 400
        raise


def _used(presentation: Presentation, proof: Proof | None = None) -> Proof:
    if presentation.proved is None:
        proof = proof or _checked(presentation)
        # Signed at most so long ahead, and valid for so long after.
        if not replay.use(proof.key.thumbprint, proof.claims["jti"], 2 * conf.DPOP_MAX_AGE):
            raise InvalidDPoPProof("jti_used", by_holder=True)
        presentation.proved = proof
    return presentation.proved


def _checked(presentation: Presentation, thumbprint: str = "") -> Proof:
    try:
        proof = proofs.verify(presentation.proof, typ=TYPE)
    except InvalidProof as error:
        raise InvalidDPoPProof("signature", str(error)) from error
    if thumbprint and proof.key.thumbprint != thumbprint:
        raise KeyNotProved("other_key")
    claims = proof.claims
    jti, issued = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_LENGTH:
        raise InvalidDPoPProof("jti", by_holder=True)
    if claims.get("htm") != presentation.method:
        raise InvalidDPoPProof("htm", by_holder=True)
    if not _is_here(claims.get("htu"), presentation.urls):
        raise InvalidDPoPProof("htu", by_holder=True)
    if not isinstance(issued, int | float) or isinstance(issued, bool) or not 0 <= issued < 2**53:
        raise InvalidDPoPProof("iat", by_holder=True)
    _check_time(issued, claims.get("nonce"))
    return proof


def _check_time(issued: float, nonce: Any) -> None:
    """By the nonce if one is asked for, else by the client's clock (RFC 9449 §4.3, 11)."""
    if conf.DPOP_NONCE:
        if not _is_nonce(nonce, conf.DPOP_MAX_AGE):
            raise DPoPNonceRequired
    elif not abs(time.time() - issued) <= conf.DPOP_MAX_AGE.total_seconds():
        raise InvalidDPoPProof("iat", by_holder=True)


def _is_nonce(nonce: Any, max_age: timedelta) -> bool:
    if not isinstance(nonce, str) or not nonce.isascii():
        return False
    try:
        return bool(_signer().unsign(nonce, max_age=max_age))
    except BadSignature:
        return False


def _signer() -> TimestampSigner:
    # The separator is one that RFC 9449 §8.1 has in nonces.
    return TimestampSigner(sep=".", salt="devices.dpop.nonce")


def _check_hash(proof: Proof, token: str | bytes) -> None:
    raw = token.encode(errors="replace") if isinstance(token, str) else token
    digest = base64url_encode(hashlib.sha256(raw).digest()).decode()
    if proof.claims.get("ath") != digest:
        raise InvalidDPoPProof("ath", by_holder=True)


def _is_here(htu: Any, urls: tuple[str, ...]) -> bool:
    """Whether this URL is one of these, whatever its query and fragment are (RFC 3986 §6.2.2 and §6.2.3)."""
    if not isinstance(htu, str) or not htu.isascii():
        return False
    try:
        said = urlsplit(htu)
        wanted = _normal(said)
        return said.username is None and wanted in [_normal(urlsplit(url)) for url in urls]
    except ValueError:
        return False


def _normal(url: SplitResult) -> tuple[str, str, int | None, str]:
    scheme = _SCHEMES.get(url.scheme.lower(), url.scheme.lower())
    path = unquote(url.path) or "/"
    return scheme, url.hostname or "", url.port or _PORTS.get(scheme), path
