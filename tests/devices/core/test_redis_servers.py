"""Redis by the URL in a setting."""

import pytest

from devices.core import redis_servers


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
