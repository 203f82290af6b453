#!/usr/bin/env bash
# redis-py: a subscriber whose connection was cut comes back by itself, and says nothing of what it missed.
#
# Guess: `get_message` raises ConnectionError when the connection is gone.
# Seen: it connects and subscribes again within the call. No error is raised, and messages published meanwhile are
# lost. The only sign is a second message of type "subscribe", which `ignore_subscribe_messages=True`, as most
# examples have it, hides: then nothing at all tells a cache that it has to be emptied.
#
# Needs redis-server.
set -euo pipefail
command -v redis-server >/dev/null || { echo "needs redis-server"; exit 2; }
folder=$(mktemp -d)
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" --dir "$folder" >/dev/null &
trap 'kill %1; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
"$folder/venv/bin/python" - "$folder/redis.sock" <<'PYTHON'
import sys

import redis

server = redis.Redis(unix_socket_path=sys.argv[1])
print("redis-py", redis.__version__, "Redis", server.info()["redis_version"])


def after_a_cut(**options):
    subscriber = redis.Redis(unix_socket_path=sys.argv[1]).pubsub(**options)
    subscriber.subscribe("channel")
    subscriber.get_message(timeout=1)
    for client in server.client_list():
        if client["sub"] == "1":
            server.client_kill_filter(_id=client["id"])
    server.publish("channel", "published while the connection was cut")
    first = subscriber.get_message(timeout=1)
    server.publish("channel", "published later")
    heard = [first, *(subscriber.get_message(timeout=0.5) for _ in range(3))]
    subscriber.close()
    return [(message["type"], message["data"]) for message in heard if message]


plain, hidden = after_a_cut(), after_a_cut(ignore_subscribe_messages=True)
print("heard after the cut:", plain)
print("with ignore_subscribe_messages:", hidden)
assert plain == [("subscribe", 1), ("message", b"published later")], "the behaviour has changed"
assert hidden == [("message", b"published later")], "the behaviour has changed"
PYTHON
