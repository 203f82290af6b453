"""A round of each kind of the failover drill; `make failover` plays more."""

import pytest

from .failover import drill, is_good
from .postgres import needs_servers

pytestmark = [*needs_servers, pytest.mark.own_database]


@pytest.mark.parametrize("is_synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_R26_an_answered_revocation_survives_its_server(is_synchronous):
    total = drill(1, is_synchronous)
    assert total["answered"], total
    assert is_good(total, is_synchronous), total
