#!/usr/bin/env bash
# redis-py: the options in a URL overrule the arguments of `from_url`, and `decode_responses=false` in one means true.
#
# Guess: who calls `Redis.from_url(url, decode_responses=False)` gets bytes, whatever the URL says; `?decode_responses=false` says
# the same.
# Seen: the URL wins, also over `db` and `socket_timeout`. Any text after `decode_responses=` asks for strings, "false" and "0" as
# well; of `retry_on_timeout` they are read as false. So one URL that several packages share changes the types that each of them gets.
#
# Needs redis-server.
set -euo pipefail
command -v redis-server >/dev/null || { echo "needs redis-server"; exit 2; }
folder=$(mktemp -d)
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" --dir "$folder" >/dev/null &
trap 'kill %1; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
until [ -S "$folder/redis.sock" ]; do sleep 0.1; done
"$folder/venv/bin/python" - "$folder/redis.sock" <<'PYTHON'
import sys

import redis

url = f"unix://{sys.argv[1]}"
print("redis-py", redis.__version__, "Redis", redis.from_url(url).info()["redis_version"])
seen = {}
for options in ("", "?decode_responses=true", "?decode_responses=false", "?decode_responses=0"):
    client = redis.from_url(url + options, decode_responses=False)
    client.set("name", "phone")
    seen[options] = client.get("name")
    print(f"from_url({options!r}, decode_responses=False).get: {seen[options]!r}")
settled = redis.from_url(f"{url}?db=3&socket_timeout=30&retry_on_timeout=false", db=0, socket_timeout=1)
options = settled.connection_pool.connection_kwargs
print({name: options[name] for name in ("db", "socket_timeout", "retry_on_timeout")})
assert list(seen.values()) == [b"phone", "phone", "phone", "phone"], "the behaviour has changed"
assert (options["db"], options["socket_timeout"], options["retry_on_timeout"]) == (3, 30, False), "the behaviour has changed"
PYTHON
