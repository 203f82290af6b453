"""What a check costs in another service: `python -m benchmarks.verifier` from the root of the repository.

Prints checks a second on one core, of `jwt.decode` alone and of devices_verifier: with tokens that it sees
for the first time, with tokens that it has seen, and with 100,000 ended sessions. A check is a call of
`verify`. Then whole requests of FastAPI, without a server and a network. Times are CPU time, so that other
work on the machine counts little.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import Depends, FastAPI, Request

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "verifier")]

from devices_verifier import Verifier  # noqa: E402
from devices_verifier.starlette import Bearer  # noqa: E402

TOKENS = 2_000
SECONDS = 2.0
ENDED = 100_000
OPTIONS = {"require": ["exp", "iss", "aud"], "strict_aud": True}
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=3072),
}


def main() -> None:
    print(
        f"{'':<8}{'PyJWT':>10}{'first':>10}{'seen':>11}{'seen, 100,000 ended':>22}{'seen : PyJWT':>14}"
    )
    for algorithm in KEYS:
        private = KEYS[algorithm]
        tokens = [_token(algorithm) for _ in range(TOKENS)]
        public = private.public_key()

        def alone(token: str, public: object = public, algorithm: str = algorithm) -> None:
            jwt.decode(token, public, [algorithm], audience="a", issuer="i", options=OPTIONS)

        verifier = _verifier(algorithm)

        def first(token: str, verifier: Verifier = verifier) -> None:
            verifier._checked.clear()
            verifier.verify(token)

        by_pyjwt, at_first = _rate(alone, tokens), _rate(first, tokens)
        seen = _rate(verifier.verify, tokens)
        until = time.time() + 3600
        verifier._ended.add({str(uuid4()): until for _ in range(ENDED)}, time.time())
        ended = _rate(verifier.verify, tokens)
        print(
            f"{algorithm:<8}{by_pyjwt:>10,.0f}{at_first:>10,.0f}{seen:>11,.0f}{ended:>22,.0f}"
            f"{ended / by_pyjwt:>13.0f}x"
        )
    asyncio.run(_fastapi("ES256"))


async def _fastapi(algorithm: str) -> None:
    """Print requests a second without a check, with `jwt.decode`, and with Bearer and tokens it has seen."""
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
    print()
    for path in checks:
        for token in tokens:
            await _request(app, f"/{path}", token)
        done, began = 0, time.process_time()
        while (took := time.process_time() - began) < SECONDS:
            for token in tokens:
                await _request(app, f"/{path}", token)
            done += len(tokens)
        print(f"FastAPI, {path:<9}{done / took:>8,.0f} requests a second")


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


def _rate(check: Callable[[str], object], tokens: Sequence[str]) -> float:
    """Checks a second."""
    for token in tokens:
        check(token)
    done, began = 0, time.process_time()
    while (took := time.process_time() - began) < SECONDS:
        for token in tokens:
            check(token)
        done += len(tokens)
    return done / took


if __name__ == "__main__":
    main()
