"""The settings that name a Redis: whether its client takes their URLs."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core import redis_servers


def check() -> Iterator[CheckMessage]:
    """Check each URL without connecting. Otherwise the first login or request would find out."""
    conf = Conf()
    for name in ("BUS", "NOTICE_QUEUE", "DPOP_STORE"):
        url = getattr(conf, name)
        if url and redis_servers.is_url(url) and (refusal := redis_servers.refusal(url)):
            yield Error(
                f"redis-py does not take the URL in DEVICES['{name}']: {refusal}.",
                hint="Percent-encode a user name and a password. What follows the ? are options of redis-py.",
                id="devices.E185",
            )
