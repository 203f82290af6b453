"""What a worker with the code from before has made of tokens of a session goes on in the session."""

import json
from pathlib import Path

from tests.guides import ask, refused

theirs = json.loads(Path("old_worker.json").read_text())
(session,) = ask("GET", "/api/sessions", theirs["access"]).json()
again = ask("POST", "/api/token/refresh/", data={"refresh": theirs["refresh"]}).json()
assert ask("GET", "/api/hello/", again["access"]).json() == {"hello": "alice"}
assert ask("DELETE", f"/api/sessions/{session['id']}", again["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", theirs["access"])) == (401, "session_revoked")
