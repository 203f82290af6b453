"""What errors say."""

import pytest
from django.utils import translation

from devices.exceptions import TooManyAttempts, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (42, "42 seconds"),
        (119, "119 seconds"),
        (121, "3 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (7201, "3 hours"),
    ],
)
def test_a_time_to_wait_is_never_said_shorter_than_it_is(seconds, words):
    assert in_words(seconds) == words
    assert TooManyAttempts(seconds).messages == [f"Too many attempts. Try again in {words}."]


def test_it_is_said_in_the_readers_language():
    with translation.override("de"):
        [message] = TooManyAttempts(42).messages
    assert "42 Sekunden" in message
