"""The main journeys of sessions bound to a key of the browser, in a Chromium with a window."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .engine import Engine
from .screen import XVFB, screen
from .test_dbsc import (  # noqa: F401 -- fixtures, and the tests that are run here
    certificates,
    launched,
    live_server,
    test_a_form_that_is_sent_after_the_expiry_waits_for_the_proof_and_arrives_whole,
    test_a_login_is_bound_and_its_cookie_renewed_across_its_expiry,
    test_cookies_copied_to_a_second_profile_are_refused_once_the_bound_one_has_expired,
    test_one_revoked_from_another_device_is_told_to_the_browser,
    test_signing_out_is_told_to_the_browser,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def chromium(
    certificates: tuple[Path, Path],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """As in test_dbsc, but with a window."""
    if XVFB is None:
        pytest.skip("needs Xvfb: NO SESSION WAS BOUND BY A BROWSER IN A WINDOW")
    home = tmp_path_factory.mktemp("home")
    with screen() as display, launched(certificates[1], home, display) as found:
        yield found
