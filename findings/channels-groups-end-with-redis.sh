#!/usr/bin/env bash
# channels_redis: after a restart of Redis the sockets that are open are in no group any more, and nothing says so.
#
# Guess: a socket that has called `group_add` gets what is sent to the group as long as it is open; the layer
# connects again after an outage, and brings its groups back.
# Seen: RedisChannelLayer keeps the members of a group in Redis alone. Without persistence they are gone with it:
# `group_send` succeeds, raises nothing, and reaches nobody who was connected before. RedisPubSubChannelLayer
# subscribes again by itself, and delivers. "Your session has ended" needs the latter, or another way beside the layer.
#
# Needs redis-server.
set -euo pipefail
command -v redis-server >/dev/null || { echo "needs redis-server"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check channels-redis==4.3.0 channels==4.3.2 redis==8.1.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import logging
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version

import redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

SOCKET = f"{sys.argv[1]}/redis.sock"
# The one layer logs that it has lost its connection.
logging.disable()


@contextmanager
def server():
    command = ["redis-server", "--port", "0", "--unixsocket", SOCKET, "--save", "", "--dir", sys.argv[1]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                redis.Redis(unix_socket_path=SOCKET).ping()
                break
            except redis.RedisError:
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


async def heard(layer, channel):
    try:
        return (await asyncio.wait_for(layer.receive(channel), 3))["type"]
    except asyncio.TimeoutError:
        return "nothing"


async def main():
    kinds = (RedisChannelLayer, RedisPubSubChannelLayer)
    layers = {kind.__name__: kind(hosts=[f"unix://{SOCKET}"]) for kind in kinds}
    channels, seen = {}, {}
    with server():
        for name, layer in layers.items():
            channels[name] = await layer.new_channel()
            await layer.group_add("session", channels[name])
            await layer.group_send("session", {"type": "before"})
            seen[name] = [await heard(layer, channels[name])]
    with server():
        await asyncio.sleep(3)
        for name, layer in layers.items():
            await layer.group_send("session", {"type": "after"})
            seen[name].append(await heard(layer, channels[name]))
    return seen


seen = asyncio.run(main())
print("channels_redis", version("channels-redis"), "redis-py", redis.__version__)
for name, (before, after) in seen.items():
    print(f"{name}: heard {before!r}; after a restart of Redis {after!r}")
assert seen == {
    "RedisChannelLayer": ["before", "nothing"], "RedisPubSubChannelLayer": ["before", "after"]
}, "the behaviour has changed"
PYTHON
