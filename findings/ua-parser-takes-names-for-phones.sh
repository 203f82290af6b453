#!/usr/bin/env bash
# ua-parser takes a program for a feature phone if its name begins like one: Smart…, Play…, Port…, Mode…, Medi….
#
# Guess: the system that a user agent states decides what kind of device it is; "Windows NT 10.0" is a computer.
# Seen: a list of prefixes comes before that. `user_agents` answers is_mobile, and is_pc at once, for desktop programs.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "ua-parser==1.0.2" "ua-parser-builtins==202610" "user-agents==2.2.0"

"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import user_agents

for package in ("ua-parser", "ua-parser-builtins", "user-agents"):
    print(package, version(package))
agents = {
    "SmartLedger/2.1 (Windows NT 10.0; Win64; x64)": True,
    "Playground/1.6 (X11; Linux x86_64)": True,
    "Portfolio/3.1 (Macintosh; Intel Mac OS X 14_0)": True,
    "Ledger/2.1 (Windows NT 10.0; Win64; x64)": False,
}
seen = {agent: user_agents.parse(agent) for agent in agents}
for agent, parsed in seen.items():
    print(f"{parsed.device.family:22} is_mobile {parsed.is_mobile!s:5} is_pc {parsed.is_pc!s:5} {agent}")
if any(parsed.is_mobile is not agents[agent] for agent, parsed in seen.items()):
    sys.exit("CHANGED: a name that begins like a phone's makes a phone no longer, or others do, too")
print("As seen: the first letters of a name decide, the system beside it does not.")
PYTHON
