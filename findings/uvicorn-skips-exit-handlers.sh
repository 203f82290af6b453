#!/usr/bin/env bash
# uvicorn: stopped by SIGTERM, it answers its requests and then dies without the handlers of `atexit`.
#
# Guess: a server that shuts down gracefully ("Finished server process") ends as a Python program does, so what libraries
# do at exit is done: OpenTelemetry sends the spans of the last seconds (`shutdown_on_exit`), others their logs, metrics, mails.
# Seen: uvicorn (0.54.0) raises the signal once more at the end, with Python's default for it. So SIGTERM, which systemd, Docker
# and Kubernetes send, ends the process at once, with the exit code -15; with --workers also each worker at a restart. No handler
# of `atexit` runs, and the spans of the last seconds are lost, the one of the last request among them. Ctrl-C (SIGINT) runs
# them, and so do hypercorn and gunicorn at SIGTERM.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 hypercorn==0.18.0 gunicorn==27.0.1 \
    opentelemetry-sdk==1.45.2
cat > "$folder/app.py" <<'PYTHON'
import atexit
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


def note(line):
    with Path("seen").open("a") as file:
        file.write(line + "\n")


class ToFile(SpanExporter):
    def export(self, spans):
        for span in spans:
            note(span.name)
        return SpanExportResult.SUCCESS


atexit.register(note, "exit handler")
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ToFile()))
tracer = provider.get_tracer("app")


async def asgi(scope, receive, send):
    assert scope["type"] == "http", "no lifespan"
    with tracer.start_as_current_span("span"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


def wsgi(environ, start_response):
    with tracer.start_as_current_span("span"):
        start_response("200 OK", [("Content-Length", "0")])
        return []
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path


def outcome(how, *command):
    """The exit code, and what was done at exit, of a server that is stopped after it has answered a request."""
    Path("seen").unlink(missing_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    line = [each.format(port=port) for each in command]
    server = subprocess.Popen(
        [sys.executable, "-m", *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
            break
        except OSError:
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.1)
    time.sleep(0.5)
    server.send_signal(how)
    code = server.wait(30)
    done = Path("seen").read_text().split("\n") if Path("seen").exists() else []
    return code, "exit handler" in done, "span" in done


uvicorn = ("uvicorn", "app:asgi", "--port", "{port}")
seen = {
    "uvicorn, SIGTERM": outcome(signal.SIGTERM, *uvicorn),
    "uvicorn --workers 2, SIGTERM": outcome(signal.SIGTERM, *uvicorn, "--workers", "2"),
    "uvicorn, SIGINT": outcome(signal.SIGINT, *uvicorn),
    "hypercorn, SIGTERM": outcome(signal.SIGTERM, "hypercorn", "app:asgi", "-b", "127.0.0.1:{port}"),
    "gunicorn, SIGTERM": outcome(signal.SIGTERM, "gunicorn", "app:wsgi", "-b", "127.0.0.1:{port}"),
}
print(*(f"{name} {version(name)}" for name in ("uvicorn", "hypercorn", "gunicorn", "opentelemetry-sdk")))
for name, (code, was_run, was_sent) in seen.items():
    print(f"{name}: exit code {code}, exit handler run: {was_run}, span sent: {was_sent}")
assert seen["uvicorn, SIGTERM"] == (-15, False, False), "the behaviour has changed"
assert seen["uvicorn --workers 2, SIGTERM"][1:] == (False, False), "the behaviour has changed"
for name in ("uvicorn, SIGINT", "hypercorn, SIGTERM", "gunicorn, SIGTERM"):
    assert seen[name][1:] == (True, True), "the behaviour has changed"
PYTHON
