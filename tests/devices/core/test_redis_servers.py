"""Redis by the URL in a setting."""

from contextlib import closing

import pytest

from devices.core import redis_servers
from devices.core.liveness.invalidation import RedisLine
from devices.core.notifications.worker import _make
from tests.bus import redis_server


@pytest.mark.parametrize(
    ("url", "read"),
    [
        (
            "redis+sentinel://a.example.org:26379/main",
            ([("a.example.org", 26379)], "main", {}, {"db": 0}),
        ),
        (
            "rediss+sentinel://ann:p%40%2Fw@a:1,[::1]:2/main/3?sentinel_password=x&ssl_ca_certs=/ca.pem",
            (
                [("a", 1), ("::1", 2)],
                "main",
                {"password": "x", "ssl_ca_certs": "/ca.pem", "ssl": True},
                {
                    "username": "ann",
                    "password": "p@/w",
                    "ssl_ca_certs": "/ca.pem",
                    "ssl": True,
                    "db": 3,
                },
            ),
        ),
    ],
)
def test_the_url_of_sentinels_is_read_as_it_is_written(url, read):
    assert redis_servers.read_sentinel_url(url) == read


@pytest.fixture
def text_url():
    """A Redis, by a URL that asks for text: other packages of a site share it."""
    with redis_server() as server:
        yield f"redis://127.0.0.1:{server.port}/0?decode_responses=true"
    redis_servers.client.cache_clear()


def test_a_url_that_asks_for_text_is_a_bus(text_url):
    with closing(RedisLine(text_url)) as line:
        redis_servers.client(text_url).publish("devices", "7")
        assert list(line.beat()) == ["7"]


def test_a_url_that_asks_for_text_is_a_queue(text_url):
    queue = _make(text_url)

    @queue.task()
    def greet():
        pass

    greet()
    assert queue.dequeue().name == "greet"
    queue.storage.pool.disconnect()


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("redis://127.0.0.1/0", ""),
        ("rediss://ann:x@127.0.0.1/0?ssl_cert_reqs=none&socket_timeout=2", ""),
        ("redis+sentinel://127.0.0.1:26379/main", ""),
        ("redis://127.0.0.1/0?pasword=x", "unexpected keyword argument 'pasword'"),
        ("rediss+sentinel://127.0.0.1:26379/main?ssl_ca=x", "unexpected keyword argument 'ssl_ca'"),
        ("redis://127.0.0.1/0?socket_timeout=long", "ValueError"),
        # What follows the # would be a fragment, and "word" the port.
        ("redis://:word#secret@127.0.0.1/0", "ValueError"),
    ],
)
def test_what_the_client_does_not_take_is_said_without_the_password(url, refusal):
    found = redis_servers.refusal(url)
    # Python 3.13 also suggests another name.
    assert found.removesuffix(". Did you mean 'password'?").endswith(refusal)
    assert bool(found) == bool(refusal)
    redis_servers.client.cache_clear()
