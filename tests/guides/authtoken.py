"""Each device exchanges the token that they share for a session of its own."""

import json
from pathlib import Path

from tests.guides import IPHONE, LOGIN, PASSWORD, alice, ask, refused

old, bobs = (f"Token {token}" for token in json.loads(Path("before.json").read_text()))
assert ask("GET", "/api/hello/", old).json() == {"hello": "alice"}

moved = ask("POST", "/api/move", old, agent=IPHONE)
assert moved.status_code == 200 and "no-store" in moved["Cache-Control"]
phone, tablet = moved.json(), ask("POST", "/api/move", old).json()
for tokens in (phone, tablet):
    assert ask("GET", "/api/hello/", tokens["access"]).json() == {"hello": "alice"}
assert ask("POST", "/api/move", bobs).status_code == 401
assert ask("POST", "/api/move").status_code == 401
assert ask("POST", "/api/move", phone["access"]).status_code == 401
listed = ask("GET", "/api/sessions", phone["access"]).json()
assert {each["login_method"] for each in listed} == {"authtoken"}
assert sorted(each["device"] for each in listed) == ["Safari on iOS", "curl"]

# What was proved an hour ago signs nobody else out. A login does, and the old token stays for the others.
others = ask("DELETE", f"/api/sessions/{tablet['session_id']}", phone["access"])
assert refused(others) == (401, "insufficient_user_authentication")
laptop = ask("POST", "/api/token", data=LOGIN).json()
assert ask("DELETE", f"/api/sessions/{phone['session_id']}", laptop["access"]).status_code == 204
assert refused(ask("GET", "/api/hello/", phone["access"])) == (401, "session_revoked")
assert ask("GET", "/api/hello/", old).status_code == 200

# A sign-out of all devices, and a new password, end it.
assert ask("POST", "/api/sessions/revoke-all", laptop["access"]).status_code == 200
assert ask("GET", "/api/hello/", old).status_code == 401
again = f"Token {ask('POST', '/api/login/', data=LOGIN).json()['token']}"
assert ask("GET", "/api/hello/", again).status_code == 200
alice.set_password(PASSWORD + "!")
alice.save()
assert ask("GET", "/api/hello/", again).status_code == 401
