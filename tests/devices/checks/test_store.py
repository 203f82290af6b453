"""The Redis that stores used proofs of keys: whether it keeps them."""

import pytest
from redis import Redis

from devices.checks import check_databases
from devices.core import redis_servers
from tests.bus import redis_server


@pytest.mark.django_db
def test_a_redis_that_evicts_proofs_is_reported(settings):
    with redis_server() as server, Redis(port=server.port) as redis:
        store = f"redis://127.0.0.1:{server.port}/0"

        def found(**changes):
            settings.DEVICES = {
                **settings.DEVICES,
                "DPOP": "optional",
                "DPOP_STORE": store,
                **changes,
            }
            return [each.id for each in check_databases(["default"])]

        redis.config_set("maxmemory-policy", "volatile-lru")
        # Without a limit nothing is evicted.
        assert found() == []
        redis.config_set("maxmemory", "100mb")
        assert found() == ["devices.W183"]
        assert found(DPOP="off") == found(DPOP="no.such.function") == []
        redis.acl_setuser(
            "proofs", enabled=True, nopass=True, keys=["devices:dpop:*"], commands=["+set"]
        )
        assert found(DPOP_STORE=store.replace("127", "proofs:x@127")) == []
        redis.config_set("maxmemory-policy", "noeviction")
        assert found() == []
    assert found() == []
    redis_servers.client.cache_clear()
