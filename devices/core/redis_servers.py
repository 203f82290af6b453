"""Redis, by the URL in a setting: one server, or the master that Sentinels name."""

from functools import cache
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from devices.conf import is_redis

# Seconds that a server has to answer, and each of the Sentinels.
PATIENCE: Final = 1.0


def is_sentinel(url: str) -> bool:
    """Whether it is one that Sentinels watch over: redis+sentinel://host:26379,host:26379/name/0."""
    return url.startswith(("redis+sentinel://", "rediss+sentinel://"))


def is_url(setting: str) -> bool:
    """Whether `client` takes it."""
    if not is_sentinel(setting):
        return is_redis(setting)
    try:
        read_sentinel_url(setting)
    except ValueError:
        return False
    return True


def refusal(url: str) -> str:
    """Return why redis-py makes no connection of a URL that `is_url`; empty if it does, or is not installed.

    It asks no server, and repeats nothing of a password.
    """
    if find_spec("redis") is None:
        return ""
    try:
        client(url).connection_pool.make_connection()
    except TypeError as error:  # what follows the "?" are its arguments
        return str(error)
    except Exception as error:
        return type(error).__name__
    return ""


def pool(url: str, **limits: Any) -> Any:
    """Return the connections to one server, with `limits` for what the URL says nothing about.

    What it answers stays bytes: a URL that others use, too, may ask for text by `decode_responses`.
    """
    from redis import ConnectionPool

    made = ConnectionPool.from_url(url, **limits)
    made.connection_kwargs["decode_responses"] = False
    return made


@cache
def client(url: str) -> Any:
    """Return the client of a server, or of the one that the Sentinels call the master."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    limits: dict[str, Any] = {
        "socket_timeout": PATIENCE,
        "socket_connect_timeout": PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    if not is_sentinel(url):
        return redis.Redis(connection_pool=pool(url, **limits))
    from redis.sentinel import Sentinel

    hosts, name, sentinels, server = read_sentinel_url(url)
    watched = Sentinel(hosts, sentinel_kwargs=limits | sentinels, **limits, **server)
    # Once a connection is lost, where the master is now is asked anew.
    return watched.master_for(name)


def read_sentinel_url(
    url: str,
) -> tuple[list[tuple[str, int]], str, dict[str, Any], dict[str, Any]]:
    """Hosts of the Sentinels, the name of the master, and what to connect to Sentinels and servers with.

    The user and password before the hosts are the servers'; those of the Sentinels are `sentinel_username`
    and `sentinel_password` in the query, beside redis-py's `ssl_…`. Raises ValueError.
    """
    # Not by urlsplit, which since Python 3.14 refuses IPv6 addresses in a list of hosts.
    scheme, _, rest = url.partition("://")
    rest, _, asked = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, listed = authority.rpartition("@")
    hosts = []
    for each in listed.split(","):
        host, _, port = each.rpartition(":")
        hosts.append((host.strip("[]"), int(port)))
    name, _, number = path.strip("/").partition("/")
    query = dict(parse_qsl(asked, strict_parsing=bool(asked)))
    own = {key: query.pop(f"sentinel_{key}", None) for key in ("username", "password")}
    if (
        not name
        or not all(host for host, _ in hosts)
        or any(not key.startswith("ssl_") for key in query)
    ):
        raise ValueError("It is redis+sentinel://host:port,host:port/name/number.")
    tls = {**query, "ssl": True} if scheme == "rediss+sentinel" else {}
    login = zip(own, map(unquote, credentials.partition(":")[::2]), strict=True)
    server = {key: value for key, value in login if value}
    sentinels = {key: value for key, value in own.items() if value}
    return hosts, name, {**sentinels, **tls}, {**server, **tls, "db": int(number or 0)}
