"""A refresh token from before is good for one exchange; those that were worthless still are."""

import json
from pathlib import Path
from typing import Any

from tests.guides import IPHONE, LOGIN, ask, refused

before = json.loads(Path("before.json").read_text())
worthless = (401, "token_not_valid")
assert refused(ask("GET", "/api/hello/", before["access"])) == worthless
old = ask("POST", "/api/token/refresh", data={"refresh": before["good"]})
assert refused(old) == worthless


def move(token: str) -> Any:
    return ask("POST", "/api/move", data={"refresh": token}, agent=IPHONE)


tokens = move(before["good"]).json()
assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
for token in (before["good"], before["used"], before["ended"], before["bobs"], before["access"]):
    assert refused(move(token)) == worthless
assert refused(move(tokens["refresh"])) == worthless
assert refused(move("nonsense")) == worthless
assert ask("POST", "/api/move", data={}).status_code == 400

(session,) = ask("GET", "/api/sessions", tokens["access"]).json()
assert (session["device"], session["login_method"]) == ("Safari on iOS", "moved")
laptop = ask("POST", "/api/token", data=LOGIN).json()
others = ask("DELETE", f"/api/sessions/{laptop['session_id']}", tokens["access"])
assert refused(others) == (401, "insufficient_user_authentication")
assert ask("DELETE", f"/api/sessions/{session['id']}", laptop["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", tokens["access"])) == (401, "session_revoked")
