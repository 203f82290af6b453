"""A refresh exchanges an old refresh token once; those that were worthless still are."""

import json
from pathlib import Path
from typing import Any

from tests.guides import IPHONE, LOGIN, PASSWORD, alice, ask, refused

NEW_PASSWORD = PASSWORD + "!"
before = json.loads(Path("before.json").read_text())
worthless = (401, "token_not_valid")
assert refused(ask("GET", "/api/hello/", before["access"])) == worthless


def refresh(token: str, path: str = "/api/token/refresh/") -> Any:
    return ask("POST", path, data={"refresh": token}, agent=IPHONE)


tokens = refresh(before["good"]).json()
assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
for name in ("good", "used", "ended", "bobs", "access"):
    assert refused(refresh(before[name])) == worthless, name
assert refused(refresh("nonsense")) == worthless
assert ask("POST", "/api/token/refresh/", data={}).status_code == 400
(session,) = ask("GET", "/api/sessions", tokens["access"]).json()
assert (session["device"], session["login_method"]) == ("Safari on iOS", "moved")
laptop = ask("POST", "/api/token", data=LOGIN).json()
# An exchange is no proof that its owner is there.
others = ask("DELETE", f"/api/sessions/{laptop['session_id']}", tokens["access"])
assert refused(others) == (401, "insufficient_user_authentication")
assert ask("DELETE", f"/api/sessions/{session['id']}", laptop["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", tokens["access"])) == (401, "session_revoked")

# One of SimpleJWT alone, without a row, and at the app's own endpoint.
tokens = refresh(before["row_less"], "/api/token/refresh").json()
assert refused(refresh(before["row_less"])) == worthless
# A token of a session is refreshed as ever, and one that was used ends its session.
again = refresh(tokens["refresh"]).json()
again = refresh(again["refresh"]).json()
assert refused(refresh(tokens["refresh"]))[0] == 401
assert refused(ask("GET", "/api/hello/", again["access"])) == (401, "session_revoked")

# Who signs out, or has a new password, leaves no old token behind.
assert ask("POST", "/api/token/blacklist", data={"refresh": before["lost"]}).status_code == 200
assert refused(refresh(before["lost"])) == worthless
alice.set_password(NEW_PASSWORD)
alice.save()
assert refused(refresh(before["spare"])) == worthless
Path("after.json").write_text(
    json.dumps(ask("POST", "/api/token", data=LOGIN | {"password": NEW_PASSWORD}).json())
)
