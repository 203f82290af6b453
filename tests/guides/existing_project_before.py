"""Alice signs in with plain SimpleJWT; her tokens are kept for afterwards."""

import json
from pathlib import Path

from tests.guides import LOGIN, ask

tokens = ask("POST", "/api/auth/login/", data=LOGIN).json()
assert set(tokens) == {"access", "refresh"}
assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
Path("before.json").write_text(json.dumps(tokens))
