#!/usr/bin/env bash
# `ua_parser.parse` of ua-parser 1.0.0 builds its parser anew for each user agent.
#
# Guess: the global parser is made at the first call and kept, as its documentation says ("lazy-initialised on first access").
# Seen: 1.0.0 returns a new parser from the module's `__getattr__` and never keeps it, so that each call takes the tenths
# of a second of the first. 1.0.1 keeps it. A range of `>=1.0` permits both.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
for version in 1.0.0 1.0.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "ua-parser[regex]==$version"
    "$folder/$version/bin/python" - <<'PYTHON'
import time
from importlib.metadata import version

import ua_parser


def seconds():
    begun = time.process_time()
    ua_parser.parse("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)")
    return time.process_time() - begun


first, second = seconds(), seconds()
release = version("ua-parser")
print(f"ua-parser {release}: first call {first:.3f} s, second call {second:.4f} s of CPU")
is_kept = second < first / 10
if is_kept != (release != "1.0.0"):
    raise SystemExit("The behaviour has changed.")
PYTHON
done
