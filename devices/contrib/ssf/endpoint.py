"""Where events are pushed to: over TLS only, to the addresses that everybody may reach, and nowhere else.

A service names the URL, so it must not lead into our own network (SSRF). What its name resolves to is looked
at for each connection, and that very address is connected to: a name may mean another one a moment later.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from devices.conf import conf
from devices.core.clients.geolocation import embedded

# In SERVICE_CLIENTS.
PERMISSION: Final = "ssf"
# Seconds for an answer, however slowly it comes.
PATIENCE: Final = 10.0
# Nobody reads more of an answer, in bytes.
MOST: Final = 8192
LENGTH: Final = 2048


class Away(Exception):
    """There was no answer."""


class Forbidden(Away):
    """The name leads into a network that is not everybody's."""


def is_allowed(url: str, prefixes: Iterable[str]) -> bool:
    """Whether a service may have events pushed there: it is https, and below what the settings say of it."""
    if not 0 < len(url) <= LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts, known = urlsplit(url), [urlsplit(each) for each in prefixes]
        _port(parts)
    except ValueError:
        return False
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment:
        return False
    if "\\" in url or "%" in parts.path or ".." in parts.path.split("/"):
        return False
    return any(
        each.scheme == "https"
        and (each.hostname, _port(each)) == (parts.hostname, _port(parts))
        and _is_below(parts.path or "/", each.path or "/")
        for each in known
    )


def prefixes(client: str) -> Sequence[str]:
    """Below which URLs a service may have events pushed, by the settings as they are now."""
    given = conf.SERVICE_CLIENTS.get(client, {})
    return given.get("push", ()) if PERMISSION in given.get("may", ()) else ()


def _is_below(path: str, prefix: str) -> bool:
    """Whether a path is this one, or below it: /tenant12 is not below /tenant1."""
    return path == prefix or path.startswith(prefix.removesuffix("/") + "/")


class Endpoint:
    """One connection to the receiver of a stream, kept open for many events."""

    def __init__(self, url: str, authorization: str) -> None:
        parts = urlsplit(url)
        self._connection = _Connection(
            parts.hostname or "", _port(parts), timeout=PATIENCE, context=context()
        )
        self._target = parts.path or "/"
        if parts.query:
            self._target += f"?{parts.query}"
        self._headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization

    def post(self, text: str) -> tuple[int, str]:
        """Status and body of the answer. No redirect is followed. Raises Away."""
        with self._in_time():
            try:
                self._connection.request("POST", self._target, text.encode(), self._headers)
                answer = self._connection.getresponse()
                body = answer.read(MOST)
                if self._connection.is_cut:
                    raise Away("too slow")
                if not answer.isclosed():
                    # There is more of it, which the next answer must not begin with.
                    self.close()
                return answer.status, body.decode(errors="replace")
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                raise Away(type(error).__name__) from error
            except Away:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        # A time-out of a socket begins anew with each byte that comes.
        timer = threading.Timer(PATIENCE, self._connection.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class _Connection(http.client.HTTPSConnection):
    # A head that ends in the middle is a whole one to http.client.
    is_cut = False

    def connect(self) -> None:
        address = public_address(self.host, self.port)
        plain = socket.create_connection((address, self.port), PATIENCE)
        # The head and the body are sent apart, and the second would wait for a late ACK of the first.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context().wrap_socket(plain, server_hostname=self.host)

    def cut(self) -> None:
        """Called from another thread: interrupts whoever waits for this connection."""
        self.is_cut = True
        if (sock := self.sock) is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


@cache
def context() -> ssl.SSLContext:
    """Return the TLS settings of all connections."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def public_address(host: str, port: int) -> str:
    """The address to connect to. Raises Forbidden if any that the name has is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Away("no such host") from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise Forbidden("not a public address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address belongs to everybody's network, also the one inside of another."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(
            address.partition("%")[0]
        )
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = embedded(ip) or (ip.teredo[1] if ip.teredo else ip)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _port(parts: SplitResult) -> int:
    """Raises ValueError for what is no port."""
    return parts.port or 443
