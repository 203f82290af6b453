"""What a check costs in another service.

    python -m benchmarks.verifier [--write docs/verifier.md]

Checks a second on one core: of the signature alone, which OpenSSL verifies; of `jwt.decode`; and of
devices_verifier, with tokens that it sees for the first time, with tokens that it has seen, and with 100,000
ended sessions. A check is a call of `verify`. Then whole requests of FastAPI, without a server and a network.
Times are CPU time, so that other work on the machine counts little; all take turns.
"""

import argparse
import asyncio
import statistics
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fastapi import Depends, FastAPI, Request

from . import page

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "verifier")]

from devices_verifier import Verifier  # noqa: E402
from devices_verifier.starlette import Bearer  # noqa: E402

TOKENS = 500
ENDED = 100_000
OPTIONS = {"require": ["exp", "iss", "aud"], "strict_aud": True}
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=3072),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    options = parser.parse_args()
    rows = [_row(algorithm, options.seconds, options.rounds) for algorithm in KEYS]
    head = ["", "the signature alone", "PyJWT", "first time", "seen", "seen, 100,000 ended"]
    head += ["first : PyJWT", "seen : PyJWT"]
    whole = asyncio.run(_fastapi("ES256", options.seconds * options.rounds))
    requests = [[name, f"{rate:,.0f}"] for name, rate in whole.items()]
    machine = page.machine(("PyJWT", "cryptography", "fastapi"))
    texts = [machine, page.table(head, rows), page.table(["FastAPI", "requests"], requests)]
    text = "\n\n".join(texts)
    print(text)
    if options.write:
        page.write(options.write, "verifier", text)


def _row(algorithm: str, seconds: float, rounds: int) -> list[str]:
    tokens = [_token(algorithm) for _ in range(TOKENS)]
    public: Any = KEYS[algorithm].public_key()
    verify = _signature(algorithm, public)
    once, known, full = (_verifier(algorithm) for _ in range(3))
    until = time.time() + 3600
    full._ended.add({str(uuid4()): until for _ in range(ENDED)}, time.time())

    def alone(token: str) -> None:
        jwt.decode(token, public, [algorithm], audience="a", issuer="i", options=OPTIONS)

    def first(token: str) -> None:
        once._checked.clear()
        once.verify(token)

    checks: list[Callable[[str], object]] = [verify, alone, first, known.verify, full.verify]
    rates = [[_rate(check, tokens, seconds) for check in checks] for _ in range(rounds)]
    figures = [f"{statistics.median(each):,.0f}" for each in zip(*rates, strict=True)]
    at_first = statistics.median(each[2] / each[1] for each in rates)
    seen = statistics.median(each[4] / each[1] for each in rates)
    return [algorithm, *figures, f"{at_first:.2f}", f"{seen:.0f}"]


def _signature(algorithm: str, public: Any) -> Callable[[str], object]:
    """What verifies nothing but the signature: no check of a token can be faster."""
    hashed = hashes.SHA256()
    more: tuple[Any, ...] = {
        "ES256": (ec.ECDSA(hashed),),
        "EdDSA": (),
        "RS256": (padding.PKCS1v15(), hashed),
    }[algorithm]

    parts: dict[str, tuple[bytes, bytes]] = {}

    def verify(token: str) -> None:
        if token not in parts:
            signed, _, given = token.rpartition(".")
            signature = urlsafe_b64decode(given + "=" * (-len(given) % 4))
            if algorithm == "ES256":
                numbers = (int.from_bytes(each, "big") for each in (signature[:32], signature[32:]))
                signature = encode_dss_signature(*numbers)
            parts[token] = signature, signed.encode()
        public.verify(*parts[token], *more)

    return verify


async def _fastapi(algorithm: str, seconds: float) -> dict[str, float]:
    """Requests a second without a check, with `jwt.decode`, and with Bearer and tokens it has seen."""
    app, public = FastAPI(), KEYS[algorithm].public_key()

    async def decode(request: Request) -> Any:
        token = request.headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, public, [algorithm], audience="a", issuer="i", options=OPTIONS)

    async def nothing() -> Any:
        return {"user_id": "7"}

    checks = {"no check": nothing, "PyJWT": decode, "Bearer": Bearer(_verifier(algorithm))}
    for path, check in checks.items():

        async def view(claims: Annotated[Any, Depends(check)]) -> dict[str, Any]:
            return {"user": claims["user_id"]}

        app.add_api_route(f"/{path}", view)
    tokens = [_token(algorithm) for _ in range(500)]
    rates = {}
    for path in checks:
        for token in tokens:
            await _request(app, f"/{path}", token)
        done, began = 0, time.process_time()
        while (took := time.process_time() - began) < seconds:
            for token in tokens:
                await _request(app, f"/{path}", token)
            done += len(tokens)
        rates[path] = done / took
    return rates


async def _request(app: FastAPI, path: str, token: str) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    await app(scope, receive, send)
    assert statuses[0] == 200


def _token(algorithm: str) -> str:
    claims = {
        "iss": "i",
        "aud": "a",
        "exp": int(time.time()) + 3600,
        "iat": int(time.time()),
        "jti": uuid4().hex,
        "token_type": "access",
        "user_id": "7",
        "session_id": str(uuid4()),
        "generation": 3,
    }
    return jwt.encode(claims, KEYS[algorithm], algorithm, {"kid": "one", "typ": "at+jwt"})


def _verifier(algorithm: str) -> Verifier:
    """One that has heard all there is, and does not ask anybody."""
    verifier = Verifier(
        "https://example.org/feed",
        jwks_url="https://example.org/jwks.json",
        issuer="i",
        audience="a",
        client_id="c",
        client_secret="s",
    )
    members = jwt.get_algorithm_by_name(algorithm).to_jwk(
        KEYS[algorithm].public_key(), as_dict=True
    )
    verifier._keys = {"one": jwt.PyJWK({**members, "kid": "one", "alg": algorithm})}
    verifier._fresh_at = float("inf")
    verifier._stopped.set()
    return verifier


def _rate(check: Callable[[str], object], tokens: Sequence[str], seconds: float) -> float:
    """Checks a second."""
    for token in tokens:
        check(token)
    done, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        for token in tokens:
            check(token)
        done += len(tokens)
    return done / took


if __name__ == "__main__":
    main()
