#!/usr/bin/env bash
# redis-py: a command whose answer does not come in time is sent again, up to eleven times, whatever it does.
#
# Guess: after `socket_timeout` (5 seconds by default) TimeoutError is raised; the command was carried out at most once.
# Seen: `Redis(host=…)` repeats it ten times, and raises after eleven time-outs. Where Redis is slow to answer, and not
# away, one INCR counts eleven times, and the first `SET … NX` of a name answers "it is there already": by itself.
# `Redis.from_url(…)` and a client with a pool of its own repeat nothing. `retry=Retry(NoBackoff(), 0)` says it.
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
import socket
import sys
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

server = redis.Redis(unix_socket_path=sys.argv[1])
print("redis-py", redis.__version__, "Redis", server.info()["redis_version"])
front = socket.create_server(("127.0.0.1", 0))
# How many answers to commands that write are still late.
late = 0


def pass_on(client):
    """Requests go on at once; an answer that is late does not come before the client has given up."""
    global late
    with client, socket.socket(socket.AF_UNIX) as redis_socket:
        redis_socket.connect(sys.argv[1])
        while request := client.recv(65536):
            redis_socket.sendall(request)
            answer = redis_socket.recv(65536)
            if late and (b"INCR" in request or b"NX" in request):
                late -= 1
                client.recv(65536)
                return
            client.sendall(answer)


def accept():
    while True:
        client, _ = front.accept()
        threading.Thread(target=pass_on, args=(client,), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
port = front.getsockname()[1]
clients = {
    "Redis(port=...)": redis.Redis(port=port, socket_timeout=0.2),
    "Redis.from_url(...)": redis.Redis.from_url(f"redis://127.0.0.1:{port}", socket_timeout=0.2),
    "Redis(port=..., retry=...)": redis.Redis(port=port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)),
}
counted = {}
for name, client in clients.items():
    late = 100
    began = time.monotonic()
    try:
        client.incr(name)
    except redis.TimeoutError:
        counted[name] = int(server.get(name))
        print(f"{name}: TimeoutError after {time.monotonic() - began:.1f} seconds, counted {counted[name]}")
late = 1
is_first = clients["Redis(port=...)"].set("used", "1", nx=True)
print("the first SET NX, whose answer was late once:", is_first)
assert list(counted.values()) == [11, 1, 1], "the behaviour has changed"
assert is_first is None, "the behaviour has changed"
PYTHON
