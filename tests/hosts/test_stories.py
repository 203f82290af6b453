"""What happens in projects of other people, with what they bring along: each story is played in one."""

import pytest

from .project import STORIES

pytestmark = pytest.mark.own_database

NO_STORY = ("__init__", "people", "acting", "models")
# What a story is about, where that is a package: those of `make test-integrations`. Without it the story is
# skipped, and says so.
NEEDED = {
    "cachalot": "django-cachalot",
    "cacheops": "django-cacheops",
    "hijack": "django-hijack",
    "loginas": "django-loginas",
    "otp": "django-otp",
}
MODULES = {"otp": "django_otp"}
TOLD = sorted(
    path.stem
    for path in STORIES.glob("*.py")
    if path.stem not in NO_STORY and not path.stem.startswith(("settings_", "urls_"))
)
# Those that change no settings before the project has started share one process.
APART = [story for story in TOLD if (STORIES / f"settings_{story}.py").exists()]


def test_the_app_holds_among_strangers_by_the_lines_of_the_readme(host):
    host.play(*(story for story in TOLD if story not in APART))


@pytest.mark.parametrize("story", APART)
def test_the_app_holds_among_strangers(host, story):
    if story in NEEDED:
        package = f"needs the package {NEEDED[story]}: make test-integrations"
        pytest.importorskip(MODULES.get(story, story), reason=package)
    host.play(story, settings=f"stories.settings_{story}")
