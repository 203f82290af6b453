"""One HTTP request, with the standard library: no redirect, no more than so many bytes, HTTPS only."""

import base64
import http.client
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .errors import FeedRefused

# 5,000 sessions are some 300 KB; a cursor at most 32 KB.
MAX_BYTES: Final = 2_000_000
_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}


class Endpoint:
    """A URL that is asked over and over, on a connection that is kept. For one thread.

    It goes through the proxy of the environment (HTTPS_PROXY, NO_PROXY), as urllib does.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self._at: SplitResult = urlsplit(url)
        if self._at.scheme != "https" and self._at.hostname not in _LOCAL:
            raise ValueError(f"{url} is not an https URL.")
        self._tls = (
            ssl.create_default_context(cafile=ca_file) if self._at.scheme == "https" else None
        )
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """Status and body. Raises OSError or HTTPException if there is no whole answer."""
        try:
            return self._ask(method, body, headers, timeout)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was kept may have been closed meanwhile; a new one has not.
            return self._ask(method, body, headers, timeout)

    def _ask(
        self, method: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        connection = self._connection or self._connect()
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        try:
            path = self._at.path or "/"
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read(MAX_BYTES + 1)
        except BaseException:
            self.close()
            raise
        if len(content) > MAX_BYTES:
            self.close()
            raise FeedRefused("The answer is too large.")
        return answer.status, content

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._at.hostname or "", self._at.port
        if self._tls is None:
            self._connection = http.client.HTTPConnection(host, port)
        elif proxy := _proxy_for(self._at):
            connection = http.client.HTTPSConnection(
                proxy.hostname or "", proxy.port or 80, context=self._tls
            )
            connection.set_tunnel(host, port or 443, _credentials(proxy))
            self._connection = connection
        else:
            self._connection = http.client.HTTPSConnection(host, port, context=self._tls)
        return self._connection


def _proxy_for(url: SplitResult) -> SplitResult | None:
    given = getproxies().get("https", "")
    proxy = urlsplit(given if "//" in given else f"//{given}")
    return proxy if proxy.hostname and not proxy_bypass(url.netloc) else None


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
