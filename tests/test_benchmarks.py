"""The benchmarks themselves are not run here: only whether `make bench` can begin with each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
RUN = sorted(
    path.stem
    for path in (ROOT / "benchmarks").glob("*.py")
    if 'DJANGO_SETTINGS_MODULE"] = ' in path.read_text()
)


@pytest.mark.parametrize("name", RUN)
def test_it_reads_no_setting_before_it_has_chosen_them(name):
    environment = {key: value for key, value in os.environ.items() if "DJANGO" not in key}
    command = [sys.executable, "-c", f"import benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
