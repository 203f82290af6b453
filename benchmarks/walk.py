"""Counts the files, functions and changes of folder that a request passes in this repository's own code.

python -m benchmarks.walk [--files]

A change of folder is a call that lands in another folder than the own call before it. Library code is not
counted, nor are comprehensions and module bodies.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import django

ROOT = Path(__file__).resolve().parent.parent
OWN = tuple(f"{ROOT}/{package}/" for package in ("accounts", "devices", "project"))
EMAIL, PASSWORD = "walker@example.org", "correct horse battery 9"
ADDRESS = "203.0.113.7"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36"
)


class Walk:
    """What was called, in order: (file, function)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def note(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OWN) and code.co_name[0] != "<":
            self.calls.append((code.co_filename.removeprefix(f"{ROOT}/"), code.co_qualname))

    @property
    def files(self) -> list[str]:
        return sorted({file for file, _ in self.calls})

    @property
    def changes(self) -> int:
        folders = [os.path.dirname(file) for file, _ in self.calls]
        return sum(here != there for here, there in zip(folders, folders[1:], strict=False))

    def __str__(self) -> str:
        return f"{len(self.files):5} {len(set(self.calls)):9} {self.changes:7}"


@contextmanager
def walking() -> Iterator[Walk]:
    walk = Walk()
    sys.setprofile(walk.note)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def measure() -> dict[str, Walk]:
    """Walk each way three times, and keep the last: a user has no history at the first login.

    The first fills caches, and the second those of the rules that compare a login with the history.
    """
    from django.contrib.auth import get_user_model
    from rest_framework.test import APIClient

    get_user_model().objects.create_user(EMAIL, PASSWORD)

    def walk(name: str, client: APIClient, method: str, path: str, body: Any = None) -> Any:
        with walking() as walked:
            answer = getattr(client, method)(path, body, format="json")
        assert answer.status_code < 300, (name, answer.status_code)
        walks[name] = walked
        return answer

    walks: dict[str, Walk] = {}
    for _ in range(3):
        client, plain = (APIClient(HTTP_USER_AGENT=CHROME, REMOTE_ADDR=ADDRESS) for _ in "ab")
        # The first request of a client makes the middleware, as the start of a server does.
        client.get("/healthz")
        plain.get("/healthz")
        held = walk("login", client, "post", "/api/login", {"email": EMAIL, "password": PASSWORD})
        held = held.json()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {held['access_token']}")
        # The first use of a session is noted; what is measured is any other.
        client.get("/api/sessions")
        walk("request", client, "get", "/api/sessions")
        walk("refresh", plain, "post", "/api/token/refresh", {"refresh": held["refresh_token"]})
        walk("revoke", client, "delete", f"/api/sessions/{held['session_id']}")
    return walks


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.test.utils import get_runner, setup_test_environment, teardown_test_environment

    setup_test_environment()
    runner = get_runner(django.conf.settings)(verbosity=0)
    databases = runner.setup_databases()
    try:
        walks = measure()
    finally:
        runner.teardown_databases(databases)
        teardown_test_environment()
    print(f"{'':8} files functions changes of folder")
    for name, walk in walks.items():
        print(f"{name:8} {walk}")
        if "--files" in sys.argv:
            print("".join(f"           {file}\n" for file in walk.files), end="")


if __name__ == "__main__":
    main()
