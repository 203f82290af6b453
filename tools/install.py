"""Make a virtual environment of what a lock names: `install.py ENVIRONMENT LOCK MARK`.

MARK, a file in the environment, says that it is finished. An environment without any mark was interrupted
(Ctrl-C, power cut, full disk) and is made anew: pip takes a package for installed of which half is there.
What is likely to go wrong on a fresh machine ends with one sentence. The code runs on any Python 3.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

MARKS = ("run", "dev", "ready")

# What pip or venv print -> what it means.
REASONS = {
    "No space left on device": "The disk is full: make room, then run make again.",
    "Disk quota exceeded": "The disk is full: make room, then run make again.",
    "NewConnectionError": "The package index cannot be reached: check the network, then run make again.",
    "NameResolutionError": "The package index cannot be reached: check the network, then run make again.",
    "ProxyError": "The package index cannot be reached: check the proxy, then run make again.",
    "ConnectTimeoutError": "The package index cannot be reached: check the network, then run make again.",
    # What a lock names was published: an index that has none of it was not reached.
    "(from versions: none)": "The package index cannot be reached: check the network, then run make again.",
    "ReadTimeoutError": "The package index does not answer: check the network, then run make again.",
}


def run(*command: str) -> None:
    """Run a command; where it fails, end with the reason in one sentence, or with all it printed."""
    done = subprocess.run(command, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        known = (told for sign, told in REASONS.items() if sign in done.stderr)
        sys.exit(next(known, done.stderr))


def wait_for_turn(file: IO[str]) -> None:
    """Wait until no other process has this file open here: two would write into each other's environment."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def main(environment: Path, lock: str, mark: Path) -> None:
    if sys.version_info < (3, 11):
        sys.exit(
            "Python 3.11 or newer is needed, and this is {}.{}: "
            "name another, as in `make run PYTHON=python3.12`.".format(*sys.version_info[:2])
        )
    with open(f"{environment}.lock", "w") as turn:
        wait_for_turn(turn)
        make(environment, lock, mark)


def make(environment: Path, lock: str, mark: Path) -> None:
    """Make the environment, or bring it up to date."""
    finished = {path: path.stat() for path in map(environment.joinpath, MARKS) if path.exists()}
    if not finished:
        try:
            import ensurepip  # noqa: F401
            import venv  # noqa: F401
        except ImportError:
            sys.exit(
                "Python's venv module is missing: install it, as with `apt install python3-venv`."
            )
        print(f"Setting up {environment}, which takes a minute.", flush=True)
        run(sys.executable, "-m", "venv", "--clear", str(environment))
    started = time.time()
    for path in finished:
        path.unlink()
    python = str(environment / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(python, "-m", "pip", "install", *quiet, "--require-hashes", "-r", lock)
    if hasattr(os, "sync"):
        os.sync()  # A mark that outlives a power cut must not stand for files that did not.
    for path, before in finished.items():
        path.touch()
        os.utime(path, (before.st_atime, before.st_mtime))
    mark.touch()
    # make installs again what changed since then, not only what changed since the end.
    os.utime(mark, (started, started))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
