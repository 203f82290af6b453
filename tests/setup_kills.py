"""Kill a first `make run` at ten moments, each in a clean clone; the next `make run` has to serve.

`make kill-setup`. An undisturbed run comes first: it fills pip's cache and tells how long a set-up
takes, over which the moments are spread. Exits 1 if one run does not serve.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from tests.ports import free_port

ROOT = Path(__file__).parent.parent
MOMENTS = 10
PATIENCE = 900.0  # seconds, on a machine that does other things, too


class Run:
    """`make run` in a clone, with all the processes that it starts in a group of their own."""

    def __init__(self, clone: Path) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            ["make", "--no-print-directory", "run", f"PORT={self.port}"],
            cwd=clone,
            env={name: value for name, value in os.environ.items() if name not in OURS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def serves(self) -> bool:
        """Wait until the site answers; False if make ends before, or nothing comes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        return False


# What make hands to its children, and what would lead the clone to a database that is not its own.
OURS = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}


def set_up(killed_after: float | None = None) -> tuple[bool, float, str]:
    """(whether the last run serves, its seconds, what was there when the first was killed)."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        found = ""
        if killed_after is not None:
            run = Run(clone)
            time.sleep(killed_after)
            run.kill()
            made = (".venv/bin/python", ".venv/bin/pip", ".venv/run", ".env", "db.sqlite3")
            found = ", ".join(name for name in made if (clone / name).exists()) or "nothing"
        started = time.monotonic()
        run = Run(clone)
        try:
            return run.serves(), time.monotonic() - started, found
        finally:
            run.kill()


def main() -> int:
    served, whole, _ = set_up()
    print(f"undisturbed: {'serves' if served else 'FAILS'} after {whole:.0f} s", flush=True)
    outcomes = [served]
    for number in range(MOMENTS):
        moment = whole * (number + 0.5) / MOMENTS
        served, seconds, found = set_up(moment)
        outcomes.append(served)
        told = f"serves after {seconds:.0f} s" if served else "FAILS"
        print(f"killed after {moment:.1f} s, when there was {found}: {told}", flush=True)
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
