#!/usr/bin/env bash
# A proof that the npm package dpop 2 signs with Ed25519 is refused by PyJWT, though both support Ed25519.
#
# Guess: clients and servers that both know Ed25519 understand each other.
# Seen: dpop 2.1.2 signs with "alg": "Ed25519", the name of RFC 9864. PyJWT 2.15.1 knows the algorithm by its older name
# "EdDSA" alone, and jwt.decode raises for the new name, whether or not "Ed25519" is in `algorithms`. To accept it,
# register the algorithm under the second name: PyJWS().register_algorithm("Ed25519", OKPAlgorithm()).
#
# Needs Node 20 or newer, npm and Python 3.11 or newer.
set -euo pipefail
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyJWT==2.15.1 cryptography==50.0.2
cd "$folder"
echo '{"type": "module"}' > package.json
npm install --silent --no-audit --no-fund dpop@2.1.2
cat > sign.js <<'JS'
import { generateKeyPair, generateProof } from "dpop";
const key = await generateKeyPair("Ed25519");
console.log(await generateProof(key, "https://example.org/api", "GET"));
JS
node sign.js > proof.txt
node --version
"$folder/venv/bin/python" - <<'PYTHON'
import jwt
from jwt.algorithms import OKPAlgorithm

proof = open("proof.txt").read().strip()
header = jwt.get_unverified_header(proof)
key = OKPAlgorithm.from_jwk(header["jwk"])
print("PyJWT", jwt.__version__, "dpop 2.1.2 alg:", header["alg"])


def answer(act):
    try:
        return type(act()).__name__
    except jwt.PyJWTError as error:
        return f"{type(error).__name__}: {error}"


# Claims are not what this is about.
options = {"verify_iat": False}
named = answer(lambda: jwt.decode(proof, key, algorithms=["EdDSA", "Ed25519"], options=options))
jws = jwt.PyJWS()
jws.register_algorithm("Ed25519", OKPAlgorithm())
registered = answer(lambda: jws.decode(proof, key, algorithms=["Ed25519"]))
print("with Ed25519 in algorithms:", named)
print("registered under that name:", registered)
assert header["alg"] == "Ed25519", "the behaviour has changed"
assert named.startswith("InvalidAlgorithmError"), "the behaviour has changed"
assert registered == "bytes", "the behaviour has changed"
PYTHON
