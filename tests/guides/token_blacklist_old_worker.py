"""A worker with the code from before takes the new tokens, and refreshes them in its own way."""

import json
from pathlib import Path

from tests.guides import ask

after = json.loads(Path("../after.json").read_text())
assert ask("GET", "/api/hello/", after["access"]).json() == {"hello": "alice"}
again = ask("POST", "/api/token/refresh/", data={"refresh": after["refresh"]})
assert again.status_code == 200
Path("../old_worker.json").write_text(json.dumps(again.json()))
