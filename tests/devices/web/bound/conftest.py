from typing import Any

import pytest

from tests.dbsc import BoundBrowser


@pytest.fixture
def browser(alice: Any) -> BoundBrowser:
    """Alice's, bound, and past the time in which requests may lack the cookie."""
    browser = BoundBrowser().bind(alice.email)
    assert browser.renew().status_code == 200
    return browser
