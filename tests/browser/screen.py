"""A screen that nobody looks at, for a browser with a window."""

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

# Debian's package xvfb.
XVFB = shutil.which("Xvfb")


@contextmanager
def screen() -> Iterator[str]:
    """A screen of its own: what its programs need as DISPLAY."""
    assert XVFB is not None
    reader, writer = os.pipe()
    # It takes a number that is free, and writes it down once programs can connect. By default it would start
    # anew when the last of them leaves.
    command = [XVFB, "-displayfd", str(writer), "-noreset"]
    with subprocess.Popen(
        command, pass_fds=[writer], stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        os.close(writer)
        try:
            with open(reader) as told:
                # Or it has ended, and the pipe with it.
                assert select.select([told], [], [], 60)[0], "Xvfb does not start"
                number = told.readline().strip()
            assert number, "Xvfb ended at once"
            yield f":{number}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
