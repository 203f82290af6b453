"""Old tokens work on, and each is good for one exchange; what it gives can be seen and ended."""

import json
from pathlib import Path

from tests.guides import IPHONE, LOGIN, ask, refused

phone, tablet, bobs = (f"Token {token}" for token in json.loads(Path("before.json").read_text()))
assert ask("GET", "/api/hello/", phone).json() == {"hello": "alice"}

moved = ask("POST", "/api/move", phone, agent=IPHONE)
assert moved.status_code == 200 and "no-store" in moved["Cache-Control"]
tokens = moved.json()
assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
for path in ("/api/hello/", "/api/move"):
    assert ask("POST" if "move" in path else "GET", path, phone).status_code == 401
assert ask("POST", "/api/move", bobs).status_code == 401
assert ask("POST", "/api/move").status_code == 401

(session,) = ask("GET", "/api/sessions", tokens["access"]).json()
assert (session["device"], session["login_method"]) == ("Safari on iOS", "knox")

# What was proved an hour ago signs nobody else out.
laptop = ask("POST", "/api/token", data=LOGIN).json()
others = ask("DELETE", f"/api/sessions/{laptop['session_id']}", tokens["access"])
assert refused(others) == (401, "insufficient_user_authentication")
assert ask("DELETE", f"/api/sessions/{session['id']}", laptop["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", tokens["access"])) == (401, "session_revoked")
assert ask("GET", "/api/hello/", tablet).status_code == 200
