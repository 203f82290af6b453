"""What happens in projects of other people, with what they bring along: each story is played in one."""

import pytest

from .project import STORIES

NO_STORY = ("__init__", "people", "acting", "models")
# What a story is about, where that is a package; without it the story is skipped, and says so.
NEEDED = ("hijack", "loginas")


@pytest.mark.parametrize(
    "story",
    sorted(
        path.stem
        for path in STORIES.glob("*.py")
        if path.stem not in NO_STORY and not path.stem.startswith(("settings_", "urls_"))
    ),
)
def test_the_app_holds_among_strangers(host, story):
    if story in NEEDED:
        pytest.importorskip(story, reason=f"needs the package django-{story}")
    host.play(story)
