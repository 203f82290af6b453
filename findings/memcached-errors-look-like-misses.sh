#!/usr/bin/env bash
# Django's PyMemcacheCache: of an outage only one call in a second raises; all others find nothing, with no option set.
#
# Guess: `ignore_exc` of pymemcache is off, and Django leaves it off, so that each call raises while memcached is away, as with
# Redis. Code that must tell "not there" from "cannot be asked" (sessions, used codes, counters) needs to catch errors only.
# Seen: the first call raises. For the second (`retry_timeout`) after an error, the client does not ask, and returns the default:
# get() is None, add() and has_key() are False, set() says nothing. Then one call raises again, and so on until the server
# counts as dead. incr() is the only one that differs: it returns False, and raises ValueError where a server has no such key.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 pymemcache==4.0.0
cat > "$folder/seen.py" <<'PYTHON'
from importlib.metadata import version

from django.conf import settings

# At port 1 nothing listens.
settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": "127.0.0.1:1",
        }
    }
)
from django.core.cache import cache


def seen(name, *given):
    try:
        return getattr(cache, name)(*given)
    except Exception as error:
        return type(error).__name__


calls = [("get", "a"), ("get", "a"), ("add", "a", 1), ("has_key", "a"), ("set", "a", 1), ("incr", "a")]
print(f"Django {version('Django')}, pymemcache {version('pymemcache')}, no memcached:")
answers = [seen(*call) for call in calls]
for call, answer in zip(calls, answers):
    print(f"   {call[0]}(): {answer}")
assert answers == ["ConnectionRefusedError", None, False, False, None, False], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
echo "As seen: after one error, an outage of memcached looks like a cache with nothing in it."
