#!/usr/bin/env bash
# huey: SIGTERM, by which process managers stop a worker, cuts the task in hand, and nobody runs it again.
#
# Guess: a worker of a task queue finishes what it has begun when systemd, Docker or Kubernetes stop it for a deployment, as
# Celery's and rq's do at SIGTERM.
# Seen: huey (3.5.4) does that at SIGINT. At SIGTERM the consumer ends at once, with exit code 0, in the middle of the task. The
# task is in the queue no more, and the next consumer does not run it: an e-mail that was being sent is lost, or was
# sent and not noted. With `--graceful-signal=TERM` the task is finished.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check huey==3.5.4
cat > "$folder/tasks.py" <<'PYTHON'
import time
from pathlib import Path

from huey import SqliteHuey

huey = SqliteHuey(filename="queue.sqlite3")


@huey.task()
def send(name):
    Path(f"{name}.begun").touch()
    time.sleep(3)
    Path(f"{name}.sent").touch()
PYTHON
cd "$folder"
export PATH=$folder/venv/bin:$PATH
python - <<'PYTHON'
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, ".")
import tasks


def consumer(*options):
    command = ["huey_consumer", "tasks.huey", "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def outcome(name, how, *options):
    """Whether the task was sent after the consumer was stopped in the middle, and by another one afterwards."""
    tasks.send(name)
    first = consumer(*options)
    deadline = time.monotonic() + 30
    while not Path(f"{name}.begun").exists():
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.05)
    first.send_signal(how)
    code = first.wait(30)
    was_sent = Path(f"{name}.sent").exists()
    second = consumer()
    time.sleep(6)
    second.send_signal(signal.SIGINT)
    second.wait(30)
    return code, was_sent, Path(f"{name}.sent").exists()


seen = {
    "SIGTERM": outcome("one", signal.SIGTERM),
    "SIGINT": outcome("two", signal.SIGINT),
    "SIGTERM, --graceful-signal=TERM": outcome("three", signal.SIGTERM, "--graceful-signal=TERM"),
}
print("huey", version("huey"))
for name, (code, was_sent, was_sent_later) in seen.items():
    print(f"{name}: exit code {code}, finished: {was_sent}, after another consumer: {was_sent_later}")
assert seen == {
    "SIGTERM": (0, False, False),
    "SIGINT": (0, True, True),
    "SIGTERM, --graceful-signal=TERM": (0, True, True),
}, "the behaviour has changed"
PYTHON
