"""What threads of one process do to the cache at the same moment, in an order that is chosen here."""

import threading
import time

import pytest

from devices.core.liveness import cache
from devices.core.liveness.cache import SessionCache

FOUND = object()


@pytest.fixture
def sessions():
    found = SessionCache()
    found.trust(time.monotonic() + 60, time.time() + 60)
    return found


def put(sessions, key, user_id):
    sessions.put(key, FOUND, user_id, sessions.read_mark(), time.time() + 60)


class Meanwhile(dict):
    """Has something else happen while it is looked into."""

    def meanwhile(self, happen):
        self.happen = happen

    def __iter__(self):
        found = super().__iter__()
        self.happen()
        return found

    def get(self, *args):
        if args[0] == "alice":
            self.happen()
        return super().get(*args)


def test_a_thread_that_finds_a_dead_entry_disturbs_none_that_stores_one(sessions):
    put(sessions, "old", "alice")
    sessions.invalidate("alice")
    looking = threading.Thread(target=sessions.get, args=["old"])

    def look():
        if not looking.ident:
            looking.start()
            looking.join(0.2)

    sessions._entries = Meanwhile(sessions._entries)
    sessions._entries.meanwhile(look)
    put(sessions, "new", "bob")
    looking.join()
    assert sessions.get("old") is None
    assert sessions.get("new") is FOUND


def test_what_was_dead_stays_so_while_the_list_of_the_dead_is_emptied(sessions, monkeypatch):
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    put(sessions, "hers", "alice")
    sessions.invalidate("alice")
    sessions._forgotten = Meanwhile(sessions._forgotten)
    sessions._forgotten.meanwhile(lambda: [sessions.invalidate(each) for each in ("bob", "carol")])
    assert sessions.get("hers") is None
