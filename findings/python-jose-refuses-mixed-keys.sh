#!/usr/bin/env bash
# python-jose: a key set with keys of two kinds makes good tokens fail, though each token names its key.
#
# Guess: given a whole JWKS, python-jose verifies with the key that `kid` in the token's header names, as other libraries
# do, or tries one key after the other.
# Seen: it tries them in turn, and at the first key of another kind than the token's `alg` it raises JWKError. A token of a
# key that comes later is refused. So after a rotation from RS256 to ES256 all new tokens are refused as long as the old key
# is published before the new one. With the one key that `kid` names, the same token is good.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "python-jose[cryptography]==3.5.0" "PyJWT[crypto]==2.15.1"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwt as jose
from jose.exceptions import JWKError
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

old, new = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
keys = [
    RSAAlgorithm.to_jwk(old.public_key(), as_dict=True) | {"kid": "old", "alg": "RS256"},
    ECAlgorithm.to_jwk(new.public_key(), as_dict=True) | {"kid": "new", "alg": "ES256"},
]
tokens = {
    "old": jwt.encode({"sub": "7"}, old, "RS256", {"kid": "old"}),
    "new": jwt.encode({"sub": "7"}, new, "ES256", {"kid": "new"}),
}


def verify(token, given):
    try:
        jose.decode(token, given, algorithms=["RS256", "ES256"])
    except JWKError as error:
        return f"JWKError: {error}"
    return "good"


for name in ("python-jose", "PyJWT"):
    print(name, version(name))
seen = {}
for what, order in {"old key first": keys, "new key first": keys[::-1]}.items():
    for kid, token in tokens.items():
        seen[what, kid] = verify(token, {"keys": order})
        print(f"{what}, token of the {kid} key: {seen[what, kid]}")
for key in keys:
    one = verify(tokens[key["kid"]], key)
    print(f"the {key['kid']} key alone: {one}")
    assert one == "good", "the behaviour has changed"
assert jwt.PyJWKSet(keys)["new"] and jwt.decode(tokens["new"], jwt.PyJWKSet(keys)["new"], ["ES256"])
assert [value == "good" for value in seen.values()] == [True, False, False, True], "the behaviour has changed"
PYTHON
