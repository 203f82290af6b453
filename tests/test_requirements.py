"""The locks are those of their sources, and nothing that was built or downloaded is in git."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(settings.BASE_DIR)
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "benchmarks/requirements.txt",
    "tests/integrations/requirements.txt",
)


def ranges(path: Path) -> list[Requirement]:
    """What a source names, with what it takes from others by -r."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            found += ranges(path.parent / line[3:])
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def pins(text: str) -> list[tuple[Requirement, bool, bool]]:
    """(the pin, whether it has a hash, whether a source names it) of each entry of a lock."""
    entries = re.split(r"^(?=[\w.-]+(?:\[[^\]]+\])?==)", text, flags=re.MULTILINE)[1:]
    return [
        (
            Requirement(entry.split("\\\n")[0]),
            "--hash=sha256:" in entry,
            bool(re.search(r"# +(via )?-r ", entry)),
        )
        for entry in entries
    ]


def stale(source: list[Requirement], lock: str) -> set[str]:
    """The names in which a lock is not the one of its source: added, taken away or out of range."""
    named = {canonicalize_name(asked.name): asked for asked in source}
    direct = {canonicalize_name(pin.name) for pin, _, direct in pins(lock) if direct}
    wrong = set(named) ^ direct
    for pin, _, _ in pins(lock):
        asked = named.get(canonicalize_name(pin.name))
        version = str(pin.specifier).removeprefix("==")
        if asked and not (asked.specifier.contains(version) and asked.extras <= pin.extras):
            wrong.add(canonicalize_name(pin.name))
    return wrong


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_as_new_as_its_source(name):
    lock = (ROOT / name).read_text()
    assert not stale(ranges((ROOT / name).with_suffix(".in")), lock), "make lock"
    assert all(hashed for _, hashed, _ in pins(lock))
    assert "://" not in lock


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda source: [*source, Requirement("nowhere>=1")], "nowhere"),
        (lambda source: source[1:], "django"),
        (lambda source: [Requirement("Django>=99"), *source[1:]], "django"),
        (lambda source: [Requirement("Django[argon2]>=5"), *source[1:]], "django"),
    ],
    ids=["added", "taken away", "raised", "another extra"],
)
def test_a_lock_older_than_its_source_is_noticed(change, name):
    source = ranges(ROOT / "requirements.in")
    assert stale(change(source), (ROOT / "requirements.txt").read_text()) == {name}


def test_what_is_tested_is_what_runs():
    """One package has one version in all locks, for each Python."""
    run = {(pin.name, str(pin.marker)): pin.specifier for pin, _, _ in pins(lock_text(LOCKS[0]))}
    for name in LOCKS[1:]:
        for pin, _, _ in pins(lock_text(name)):
            assert run.get((pin.name, str(pin.marker)), pin.specifier) == pin.specifier


def lock_text(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_app_and_the_site_exclude_the_same_old_releases():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    app = {
        asked.name.lower(): lowest(asked)
        for asked in map(Requirement, [*project["dependencies"], *extras])
    }
    site = {asked.name.lower(): lowest(asked) for asked in ranges(ROOT / "requirements.in")}
    common = set(app) & set(site)
    assert {"django", "pyjwt"} <= common
    assert {name: app[name] for name in common} == {name: site[name] for name in common}


def lowest(asked: Requirement) -> list[str]:
    return [part.version for part in asked.specifier if part.operator in (">=", "~=")]


def git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *arguments]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return listed.split("\0")[:-1]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout of git")
def test_nothing_built_or_downloaded_is_tracked():
    assert git("--cached", "--ignored", "--exclude-standard") == []
    built = {".whl", ".gz", ".zip", ".mo", ".pyc", ".so", ".sqlite3", ".egg", ".mmdb"}
    tracked = [ROOT / name for name in git() if (ROOT / name).is_file()]
    assert not [path.name for path in tracked if path.suffix in built]
    assert not [path.name for path in tracked if path.stat().st_size > 400_000]
    pictures = [path for path in tracked if path.suffix in {".png", ".webp", ".jpg", ".gif"}]
    # Apple's devices take no SVG for the icon of a page.
    pictures.remove(ROOT / "project/static/touch-icon.png")
    assert {path.parent for path in pictures} <= {ROOT / "docs/images"}


def test_the_workflow_runs_the_versions_that_the_makefile_and_the_documents_name():
    makefile = (ROOT / "Makefile").read_text()
    pairs = re.search(r"^MATRIX = (.*)$", makefile, re.MULTILINE)[1].split()
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert workflow["jobs"]["versions"]["strategy"]["matrix"]["pair"] == [*pairs, "lowest"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons, djangos = ({pair.split("-")[i] for pair in pairs} for i in (0, 1))
    named = {line.split(" :: ")[-1] for line in project["classifiers"] if "Python :: 3." in line}
    assert named <= pythons  # Those that it ran on somewhere.
    assert {
        line.split(" :: ")[-1] for line in project["classifiers"] if "Django :: " in line
    } == djangos


def test_the_services_that_renew_the_lock_know_its_folders():
    dependabot = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    ours = next(each for each in dependabot["updates"] if each["package-ecosystem"] == "uv")
    assert {ROOT / folder.strip("/") for folder in ours["directories"]} == {
        (ROOT / name).parent for name in LOCKS
    }


def installed_by(page: Path) -> list[Requirement]:
    """What a page tells people to install, but for the wheel itself."""
    told = re.findall(r"pip install ([^\n`]+)", page.read_text())
    return [Requirement(each) for line in told for each in shlex.split(line)]


INTEGRATIONS = [
    *sorted(set((ROOT / "docs/integrations").glob("*.md")) - {ROOT / "docs/integrations/index.md"}),
    *(ROOT / f"docs/recipes/{name}.md" for name in ("channels", "ninja")),
]


@pytest.mark.parametrize("page", INTEGRATIONS, ids=[page.stem for page in INTEGRATIONS])
def test_a_page_about_a_package_says_how_to_install_what_its_tests_run_on(page):
    text = page.read_text()
    assert 0 < text.find("pip install") < text.index("```python"), "before the first lines of code"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    known = ranges(ROOT / "tests/integrations/requirements.in")
    names = {canonicalize_name(each.name) for each in known}
    for asked in installed_by(page):
        if asked.name == project["name"]:
            assert asked.extras <= set(extras)
        else:
            assert canonicalize_name(asked.name) in names, asked
