#!/usr/bin/env bash
# PyJWT's PyJWKClient with cache_keys=True never forgets a key, whatever its lifespan is.
#
# Guess: `lifespan` (300 seconds) says how long keys are kept, so a key that its owner took out of the JWKS is
# gone after it.
# Seen: `lifespan` is that of the set. With `cache_keys=True` each key that was found is kept beside it in an
# LRU cache without an end in time, and the set is not asked again for it. A key that was withdrawn is given out for
# as long as the process lives. With the default, cache_keys=False, it is gone after the lifespan.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "PyJWT[crypto]==2.15.1"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

print("PyJWT", jwt.__version__, "lifespan=1, asked again 1.5 seconds after the key was withdrawn")


def make(kid):
    private = ec.generate_private_key(ec.SECP256R1())
    public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return private, {**public, "kid": kid, "alg": "ES256"}


(old, old_jwk), (_, new_jwk) = make("old"), make("new")
published = []


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": published}).encode())


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
token = jwt.encode({"sub": "7"}, old, "ES256", {"kid": "old"})
seen = {}
for cache_keys in (False, True):
    published[:] = [old_jwk, new_jwk]
    client = jwt.PyJWKClient(
        f"http://127.0.0.1:{server.server_port}/", lifespan=1, cache_keys=cache_keys
    )
    client.get_signing_key_from_jwt(token)
    published[:] = [new_jwk]
    time.sleep(1.5)
    try:
        client.get_signing_key_from_jwt(token)
        seen[cache_keys] = "given out"
    except jwt.PyJWKClientError:
        seen[cache_keys] = "not found"
    print(f"cache_keys={cache_keys}: the withdrawn key is {seen[cache_keys]}")
assert seen == {False: "not found", True: "given out"}, "the behaviour has changed"
PYTHON
