"""Fixtures for pytest, which finds them by itself once the wheel is installed (entry point `pytest11`).

Django is not set up yet when pytest loads this module, so it imports nothing of it before a fixture is used.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest


@pytest.fixture
def device_client(db: None) -> Callable[..., Any]:
    """`device_client(user)`: a new client of DRF that is signed in with a session of its own.

    Further arguments are those of `devices.testing.sign_in`. The session is `client.device_session`.
    """
    testing = import_module("devices.testing")
    api_client = import_module("rest_framework.test").APIClient

    def make(user: Any, **kwargs: Any) -> Any:
        client = api_client()
        client.device_session = testing.sign_in(client, user, **kwargs)
        return client

    return make
