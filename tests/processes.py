"""Commands that start others, such as npm and pip."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[str], folder: Path, *, timeout: float) -> str | None:
    """Run a command in a folder; what it prints, or None if it fails or takes longer, in seconds.

    What it started ends with it. `subprocess.run` would wait for that beyond its own time, since it holds the
    pipes open.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return printed if process.returncode == 0 else None
