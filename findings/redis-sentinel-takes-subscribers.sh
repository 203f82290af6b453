#!/usr/bin/env bash
# A Redis Sentinel takes PING and SUBSCRIBE, so a client that was given its address by mistake seems to work.
#
# Guess: a client that connects to port 26379 instead of 6379 fails at its first command.
# Seen: PING answers and SUBSCRIBE is confirmed. Messages that are published to the Redis server behind it never
# arrive, since a Sentinel has channels of its own. Only PUBLISH is refused, and GET and SET are unknown. So a
# health check by PING says that the subscriber is fine while it is deaf; only a message of one's own that comes
# back shows that it hears.
#
# Needs redis-server.
set -euo pipefail
command -v redis-server >/dev/null || { echo "needs redis-server"; exit 2; }
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
port() { python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"; }
server=$(port) sentinel=$(port)
printf 'port %s\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %s 1\n' "$sentinel" "$server" > "$folder/sentinel.conf"
redis-server --port "$server" --bind 127.0.0.1 --save "" --dir "$folder" >/dev/null &
redis-server "$folder/sentinel.conf" --sentinel --dir "$folder" >/dev/null &
trap 'kill %1 %2; wait; rm -rf "$folder"' EXIT
"$folder/venv/bin/python" - "$server" "$sentinel" <<'PYTHON'
import sys
import time

import redis

server, sentinel = (redis.Redis(port=int(port)) for port in sys.argv[1:])
for client in (server, sentinel):
    for _ in range(50):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
print("redis-py", redis.__version__, "Redis", server.info("server")["redis_version"])


def answer(act):
    try:
        return act()
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"


subscriber = sentinel.pubsub()
subscriber.subscribe("channel")
confirmed = subscriber.get_message(timeout=1)["type"]
server.publish("channel", "a message")
heard = subscriber.get_message(timeout=1)
publish = answer(lambda: sentinel.publish("channel", "a message"))
print("PING:", sentinel.ping(), "| SUBSCRIBE:", confirmed, "| heard:", heard)
print("PUBLISH:", publish)
assert (sentinel.ping(), confirmed, heard) == (True, "subscribe", None), "the behaviour has changed"
assert "Only HELLO messages" in str(publish), "the behaviour has changed"
PYTHON
