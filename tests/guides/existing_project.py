"""The tokens of before are refused; the same requests as before give ones that can be ended."""

import json
from pathlib import Path

from tests.guides import LOGIN, ask, refused

before = json.loads(Path("before.json").read_text())
assert refused(ask("GET", "/api/hello/", before["access"])) == (401, "token_not_valid")
old = ask("POST", "/api/auth/refresh/", data={"refresh": before["refresh"]})
assert refused(old) == (401, "token_not_valid")

tokens = ask("POST", "/api/auth/login/", data=LOGIN).json()
assert set(tokens) == {"access", "refresh", "name"} and tokens["name"] == "alice"
assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
again = ask("POST", "/api/auth/refresh/", data={"refresh": tokens["refresh"]}).json()
assert ask("GET", "/api/hello/", again["access"]).status_code == 200
(session,) = ask("GET", "/api/sessions", again["access"]).json()
assert ask("DELETE", f"/api/sessions/{session['id']}", again["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", tokens["access"])) == (401, "session_revoked")
