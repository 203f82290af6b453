"""Pages of the documents as projects: their blocks in a new project with the lines of the README."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from django.core.management import call_command

from tests.test_guides import HASTE, ROOT, of_the_readme, write

# The project is set up before the story imports what it is about.
PLAY = "import tests.guides, runpy; runpy.run_module('tests.integrations.{}', run_name='__main__')"

INDEX = ROOT / "docs/integrations/index.md"


def blocks(page: str, kind: str = "") -> list[tuple[str, str]]:
    """What the page puts into which file; with a kind, what stands under `# kind: shop/settings.py`."""
    text = (ROOT / f"docs/{page}.md").read_text()
    mark = f"{kind}: " if kind else ""
    return re.findall(rf"```python\n# {mark}([\w/]+\.py)\n(.*?)```", text, re.DOTALL)


def lines(found: list[tuple[str, str]]) -> int:
    """How many lines these are, without blank ones, comments and imports."""
    code = "\n".join(text for _, text in found).splitlines()
    return sum(bool(line.strip()) and not line.startswith(("#", "from", "import")) for line in code)


def play(story: str, folder: Path, *added: tuple[str, str], kind: str = "") -> dict[str, list[str]]:
    """Play a story of this folder in a project with these blocks; the rows of the table that it found."""
    call_command("startproject", "shop", folder)
    write(folder, ("shop/settings.py", HASTE))
    for block in [*of_the_readme(), *added]:
        write(folder, block)
    environment = {
        **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
        "PYTHONPATH": str(ROOT),
        "JWT_SECRET_KEY": "a signing key for the shop, of no use elsewhere",
        "PYTHONWARNINGS": "error:::devices",
    }
    done = subprocess.run(
        [sys.executable, "-c", PLAY.format(story), kind],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    rows: dict[str, list[str]] = json.loads((folder / "rows.json").read_text())
    return rows


def compare(name: str, added: int, seen: list[str]) -> None:
    """Hold a row of the table to what was seen; with WRITE_TABLE, write it."""
    row = f"| {' | '.join([name, str(added), *seen])} |"
    text = INDEX.read_text()
    if row not in text and os.environ.get("WRITE_TABLE"):
        kept = [line for line in text.splitlines() if not line.startswith(f"| {name} |")]
        head = next(i for i, line in enumerate(kept) if line.startswith("| ---"))
        rows = [line for line in kept[head + 1 :] if line.startswith("|")]
        kept[head + 1 : head + 1 + len(rows)] = sorted([*rows, row])
        INDEX.write_text("\n".join(kept) + "\n")
    assert row in INDEX.read_text()
