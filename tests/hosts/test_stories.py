"""What happens in projects of other people, with what they bring along: each story is played in one."""

import pytest

from .project import STORIES

NO_STORY = ("__init__", "people")


@pytest.mark.parametrize(
    "story",
    sorted(
        path.stem
        for path in STORIES.glob("*.py")
        if path.stem not in NO_STORY and not path.stem.startswith("settings_")
    ),
)
def test_the_app_holds_among_strangers(host, story):
    host.play(story)
