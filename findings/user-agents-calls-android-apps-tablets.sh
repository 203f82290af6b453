#!/usr/bin/env bash
# For user-agents, an Android app on a phone is on a tablet, if it names itself as Android does by default.
#
# Guess: is_mobile, is_tablet and is_pc say what the agent says: "Pixel 8" is a phone, "BRAVIA" a television.
# Seen: an Android without the word "Mobile" is a tablet, which is right for browsers. Android's own agent for apps,
# "Dalvik/2.1.0 (Linux; U; Android …; model)", never has the word: each phone is a tablet, and so is each television. A
# headset of Meta is a tablet and a PC at once; a phone with KaiOS is neither mobile nor anything else.
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
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0"
agents = {
    "a phone, in Chrome": (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36", "is_mobile"),
    "a phone, in an app": ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.041)", "is_tablet"),
    "a television, in an app": ("Dalvik/2.1.0 (Linux; U; Android 11; BRAVIA 4K UR3 Build/RTT2.220929.001)", "is_tablet"),
    "a headset": (
        "Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 (KHTML, like Gecko) OculusBrowser/34.1 "
        "Chrome/126.0.6478.122 VR Safari/537.36",
        "is_tablet is_pc",
    ),
    "a phone with KaiOS": ("Mozilla/5.0 (Mobile; Nokia_2720_Flip; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.2", ""),
}
failed = False
for what, (agent, expected) in agents.items():
    parsed = user_agents.parse(agent)
    seen = " ".join(name for name in ("is_mobile", "is_tablet", "is_pc", "is_bot") if getattr(parsed, name))
    print(f"{what:24} {seen or 'nothing':16} {agent[:70]}")
    failed |= seen != expected
if failed:
    sys.exit("The behaviour has changed.")
print("As seen: apps on Android phones and televisions are on tablets.")
PYTHON
