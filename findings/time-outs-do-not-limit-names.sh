#!/usr/bin/env bash
# A name server that does not answer, and clients with a limit of two seconds for connecting.
#
# Guess: `connect_timeout=2` of psycopg, `socket_connect_timeout=2` of redis-py, and `timeout=2` of requests and httpx end an
# attempt to connect after two seconds.
# Seen: none of them limits the time in which a name is resolved. Each waits for ten seconds, as long as glibc asks one name
# server by default, and so does each request of a site that opens a connection for it. `options timeout:1 attempts:2` in
# /etc/resolv.conf limits that to two. httpx's AsyncClient, for which a thread resolves the name, goes on in time.
#
# Needs Linux, with namespaces for users (`unshare`); in one of its own it has another name server.
set -euo pipefail
command -v unshare > /dev/null || { echo "needs unshare"; exit 2; }
unshare --map-root-user --net --mount true || { echo "needs namespaces for users"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "psycopg[binary]==3.3.9" redis==8.1.0 requests==2.34.2 \
    httpx==0.28.1
cat > "$folder/clients.py" <<'PYTHON'
import asyncio
import socket
import sys
import threading
import time
from importlib.metadata import version

import httpx
import psycopg
import redis
import requests

# It hears each question, and answers none.
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
with open("/etc/resolv.conf") as file:
    print(" / ".join(file.read().split("\n")[:-1]))


async def by_async_client():
    begin = time.monotonic()
    async with httpx.AsyncClient(timeout=2) as client:
        try:
            await client.get("http://db.example/")
        finally:
            # Before the end of the loop, which waits for its threads.
            took["httpx, AsyncClient"] = time.monotonic() - begin


CLIENTS = {
    "psycopg": lambda: psycopg.connect("host=db.example connect_timeout=2 tcp_user_timeout=2000"),
    "redis": lambda: redis.Redis.from_url("redis://db.example", socket_connect_timeout=2, socket_timeout=2).ping(),
    "requests": lambda: requests.get("http://db.example/", timeout=2),
    "httpx": lambda: httpx.get("http://db.example/", timeout=2),
    "httpx, AsyncClient": lambda: asyncio.run(by_async_client()),
}
took = {}


def measure(name):
    begin = time.monotonic()
    try:
        CLIENTS[name]()
    except Exception as error:
        took.setdefault(name, time.monotonic() - begin)
        package = name.split(",")[0]
        print(f"{name} {version(package)}: {type(error).__name__} after {took[name]:.1f} s")


threads = [threading.Thread(target=measure, args=[name]) for name in CLIENTS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
low, high = map(float, sys.argv[1:])
in_time = took.pop("httpx, AsyncClient")
has_changed = len(took) != 4 or not 1.5 < in_time < 4 or not all(low < each < high for each in took.values())
sys.exit("the behaviour has changed" if has_changed else 0)
PYTHON
play() {
    echo "$1" | tr '/' '\n' > "$folder/resolv.conf"
    unshare --map-root-user --net --mount bash -euc '
        mount --bind "$1/resolv.conf" /etc/resolv.conf
        ip link set lo up 2> /dev/null || "$1/venv/bin/python" -c "
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh\", b\"lo\", 1))"
        "$1/venv/bin/python" "$1/clients.py" "$2" "$3"' - "$folder" "$2" "$3"
}
play "nameserver 127.0.0.1" 9 12
play "nameserver 127.0.0.1/options timeout:1 attempts:2" 1.5 4
