"""What naming a device costs: run `python benchmarks/label.py` from the root of the repository.

Prints what import and first label take, cold labels per second, their memory, and the slowest of a
set of hostile strings. Times are CPU time, so that other work on the machine counts little.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

LENGTH = 100_000  # characters of a hostile string
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0",
    "Linux; Android 10; K",
    "Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv",
    "Linux; Android 13; SM-X200",
    "iPhone; CPU iPhone OS 17_4 like Mac OS X",
    "iPad; CPU OS 16_6 like Mac OS X",
)
ENGINE = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) "
PROGRAMS = (
    "Chrome/{}.0.0.0 Safari/537.36",
    "Chrome/{}.0.0.0 Mobile Safari/537.36",
    "Chrome/{0}.0.0.0 Safari/537.36 Edg/{0}.0.0.0",
    "Chrome/{}.0.0.0 Safari/537.36 OPR/109.0.0.0",
    "Version/{} Safari/605.1.15",
    "Version/4.0 Chrome/{}.0.6367.82 Mobile Safari/537.36 Instagram 329.0.0.41.93 Android",
    "SamsungBrowser/{}.0 Chrome/115.0.0.0 Mobile Safari/537.36",
    "Example/{}.2 Chrome/120.0.0.0 Electron/28.1.0 Safari/537.36",
)
HINTS: dict[str, str] = {
    "sec-ch-ua": '"Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-platform-version": '"15.0.0"',
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    before, start = _resident(), time.process_time()
    from devices.core.clients.client import Client, clean_user_agent, describe_device
    from devices.core.clients.user_agents.hints import HINT_HEADERS

    imported = time.process_time() - start
    start = time.process_time()
    describe_device(Client(user_agent=ENGINE.format(SYSTEMS[0]) + PROGRAMS[0].format(124)))
    first = time.process_time() - start

    agents = [
        ENGINE.format(system) + program.format(version)
        for system, program, version in product(SYSTEMS, PROGRAMS, range(90, 240))
    ]
    random.Random(7).shuffle(agents)  # every one is different, so no cache helps
    clients = [
        Client(user_agent=clean_user_agent(agent), hints=HINTS if place % 3 == 0 else {})
        for place, agent in enumerate(agents)
    ]
    start = time.process_time()
    for client in clients:
        describe_device(client)
    seconds = time.process_time() - start
    memory = _resident() - before

    slowest = 0.0, ""
    for text in hostile_strings(LENGTH):
        hints = dict.fromkeys(HINT_HEADERS, text)
        start = time.process_time()
        describe_device(Client(user_agent=clean_user_agent(text)))
        middle = time.process_time()
        describe_device(Client(hints=hints))
        end = time.process_time()
        slowest = max(slowest, (middle - start, text[:30]), (end - middle, f"hint {text[:30]}"))

    print(f"import          {imported * 1000:8.0f} ms")
    print(f"first label     {first * 1000:8.0f} ms")
    print(f"cold labels     {len(clients) / seconds:8.0f} a second")
    print(f"one cold label  {seconds / len(clients) * 1e6:8.0f} µs")
    print(f"memory          {memory:8.1f} MB")
    print(f"worst hostile   {slowest[0] * 1000:8.2f} ms, {slowest[1]!r}")


def hostile_strings(length: int) -> Iterator[str]:
    """Strings that made one parser or another take quadratic time or worse, or raise."""
    pieces = (
        *(
            "'; ",
            " ",
            "a/",
            "a ",
            "1",
            "1.",
            "/",
            "//",
            "(",
            ")",
            "()",
            "((a;",
            ";",
            "; ",
            ",",
            "=",
        ),
        *(
            "LinuxCrKey",
            "Mozilla/5.0 ",
            "Android ",
            "Windows NT ",
            "Build/",
            "tab",
            "Pad",
            "iPhone ",
        ),
        *("Version/4.0 ", "AFT", "smart-tv", "bot ", "%41", "%", "%25", "a.", "com.", "\t", "\n"),
        *('"', '\\"', '"a";v="1",', '"a" ', '"\\', "?1", "-", "_", "é", "\u202e", "\u0301", "字"),
        *(
            "\ud800",
            "\x00",
            "\x1b[2J",
            "\U0001f600",
            "for ios-",
            "Mobile",
            "SDK",
            "App",
            "v1",
            " v1",
        ),
    )
    heads = ("", "SmartWatch(", "Mozilla/5.0 (Linux; Android 14; ", "Mozilla/5.0 (", '"', "a")
    for head, piece in product(heads, pieces):
        yield head + piece * (length // len(piece))


def _resident() -> float:
    """Return the resident memory of this process in megabytes (Linux; elsewhere 0)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
