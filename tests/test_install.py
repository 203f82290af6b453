"""A first `make run` that was interrupted is finished by the next; what is missing is told in a sentence."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.own_database

ROOT = Path(settings.BASE_DIR)
SCRIPT = ROOT / "tools/install.py"
# An index that cannot be reached: nothing listens there.
NOWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "PIP_CONFIG_FILE": os.devnull,
}


@pytest.fixture
def lock(tmp_path):
    """A lock that names nothing, so that only the environment takes time."""
    path = tmp_path / "requirements.txt"
    path.write_text("")
    return path


def install(folder, lock, python=sys.executable, **environment):
    """Start the script as make does."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.Popen(
        [python, SCRIPT, ".venv", lock, ".venv/run"],
        cwd=folder,
        env=env | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def told(process):
    _, printed = process.communicate(timeout=180)
    assert process.returncode == 1
    return printed.strip()


def works(folder):
    done = subprocess.run([folder / ".venv/bin/python", "-m", "pip", "--version"], timeout=60)
    return done.returncode == 0 and (folder / ".venv/run").exists()


@pytest.mark.parametrize("moment", [float(x) for x in os.environ.get("KILL_AT", "1.5").split(",")])
def test_what_was_killed_is_made_anew(tmp_path, lock, moment):
    process = install(tmp_path, lock)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    process = install(tmp_path, lock)
    assert process.communicate(timeout=180) and process.returncode == 0
    assert works(tmp_path)


def test_two_at_once_wait_for_each_other(tmp_path, lock):
    """`make run` in one terminal and `make test` in another, on a fresh machine."""
    processes = [install(tmp_path, lock) for _ in range(2)]
    printed = [process.communicate(timeout=180) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    # The second found what the first had made.
    assert sorted("Setting up" in out for out, _ in printed) == [False, True]
    assert works(tmp_path)


def test_a_lock_that_changed_meanwhile_is_installed_by_the_next_make(tmp_path, lock):
    changes = f"import os, time; time.sleep(0.1); os.utime({str(lock)!r})"
    stand_in(tmp_path, f'exec {sys.executable} -c "{changes}"')
    process = install(tmp_path, lock)
    assert process.communicate(timeout=180) and process.returncode == 0
    assert (tmp_path / ".venv/run").stat().st_mtime < lock.stat().st_mtime


def stand_in(folder, script):
    """A finished environment whose Python is a shell script."""
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    (folder / ".venv/run").touch()


def test_an_update_that_fails_leaves_no_mark_and_one_sentence(tmp_path, lock):
    stand_in(tmp_path, f'exec {sys.executable} "$@"')
    lock.write_text("asgiref==0.0.0 --hash=sha256:" + "0" * 64)
    sentence = "The package index cannot be reached: check the network, then run make again."
    assert told(install(tmp_path, lock, **NOWHERE)) == sentence
    assert not (tmp_path / ".venv/run").exists()


def test_a_full_disk_says_so(tmp_path, lock):
    """By what pip prints then: a disk cannot be filled here."""
    stand_in(tmp_path, "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1")
    assert told(install(tmp_path, lock)) == "The disk is full: make room, then run make again."


def test_an_old_python_says_so(tmp_path, lock):
    old = next(filter(None, map(shutil.which, ("python3.8", "python3.9", "python3.10"))), None)
    if old is None or subprocess.run([old, "-V"], capture_output=True).returncode:
        pytest.skip("this machine has no Python that is too old")
    assert told(install(tmp_path, lock, python=old)).startswith("Python 3.11 or newer is needed")


def test_a_python_without_venv_says_so(tmp_path, lock):
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    process = install(tmp_path, lock, PYTHONPATH=str(tmp_path))
    assert told(process).startswith("Python's venv module is missing: install it")


@pytest.mark.parametrize("target", ["run", "demo"])
def test_a_port_in_use_says_so_before_anything_is_done(target):
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        done = make(target, port)
    assert done.returncode
    assert done.stdout == ""
    sentence = f"Port {port} is in use: name another, as in `make run PORT=8001`."
    assert done.stderr.splitlines()[0] == sentence


@pytest.mark.parametrize(
    ("lines", "link"),
    [("# SITE_URL=", "http://localhost:8001"), ("SITE_URL=https://tunnel.example", "")],
    ids=["by default", "but not where .env says another"],
)
def test_links_in_emails_lead_to_the_port_that_is_served(tmp_path, lines, link):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".env").write_text(lines + "\n")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$1 $2 link=$SITE_URL"\n')
    python.chmod(0o755)
    served = make("run", 8001, BIN=tmp_path, cwd=tmp_path).stdout.splitlines()[-1]
    assert served == f"manage.py runserver link={link}"


def make(target, port, BIN=Path(sys.executable).parent, cwd=ROOT):
    return subprocess.run(
        # What is installed is not looked at: this environment is taken.
        ["make", "-o", ".venv/run", "-o", ".env", target]
        + [f"BIN={BIN}", f"PORT=localhost:{port}"],
        cwd=cwd,
        # Within `make check` this would be a make below a make, which says where it is.
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith("MAKE") and name != "SITE_URL"
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
