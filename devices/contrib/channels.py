"""Django Channels: who opens a WebSocket, by access token or session cookie; closed when the session ends.

    application = ProtocolTypeRouter({
        "http": get_asgi_application(),
        "websocket": DeviceAuthMiddleware(URLRouter([path("feed", Feed.as_asgi())])),
    })

    new WebSocket("wss://example.org/feed", ["bearer", accessToken])   // or with the cookie, and no protocols

A consumer finds `scope["user"]`, which may be AnonymousUser, and `scope["device_session"]`, which is None
then. It works before any ASGI application that speaks WebSocket; Channels is not imported.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from io import BytesIO
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.utils.module_loading import import_string

from devices import csrf, http, shortcuts
from devices.exceptions import CsrfFailed, DevicesError, SessionError, SessionUnverified
from devices.models import DeviceSession
from devices.web import cookie

__all__ = ["CLOSE_CODE", "DPOP_PROTOCOL", "PROTOCOL", "DeviceAuthMiddleware"]

# Of the range for applications (RFC 6455, section 7.4.2), like HTTP's 401; and "Try Again Later".
CLOSE_CODE: Final = 4401
UNAVAILABLE: Final = 1013
# A script can set no header of a handshake but Sec-WebSocket-Protocol. The token stands behind this name,
PROTOCOL: Final = "bearer"
# and behind this one the token and a proof of the key that it is bound to (RFC 9449).
DPOP_PROTOCOL: Final = "dpop"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class DeviceAuthMiddleware:
    """ASGI middleware that authenticates WebSockets, and closes them when their session ends.

    By the first of these that there is:

    - an access token, as `["bearer", token]` among the subprotocols, or as `Authorization: Bearer …`. Never
      in the URL, which is logged. One that is bound to a key comes with a proof, as `["dpop", token, proof]`
      or in the header `DPoP`; its method is GET. If it is refused, the socket is accepted and closed with
      4401 and the code of the error as reason, since a script does not see why a handshake failed.
    - Django's session cookie, from a page of this site or of CSRF_TRUSTED_ORIGINS alone; from others the
      handshake fails (403). A cookie whose session has ended is nobody's.

    When the session ends, by whatever route, the socket is closed with 4401 and a reason such as
    "session_revoked", and the application receives `websocket.disconnect`; with 1013 if the database has not
    answered for half a minute. An access token that expires meanwhile closes nothing.
    `scope["device_session"]` is as it was when the socket was opened. Daphne sends no reasons.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.inner(scope, receive, send)
            return
        scope, shown = _without_token(scope)
        socket = _Socket(receive, send, shown[0] if shown else None)
        watch = None
        try:
            session = await sync_to_async(_session_of)(scope, shown)
            if session is not None:
                watch = await sync_to_async(shortcuts.watch_session)(session, socket.end)
        except CsrfFailed:
            await socket.refuse()
            return
        except SessionError as error:
            await socket.refuse(error)
            return
        scope["user"] = AnonymousUser() if session is None else session.user
        scope["device_session"] = session
        try:
            await self.inner(scope, socket.receive, socket.send)
        finally:
            if watch is not None:
                watch.stop()
            socket.forget()


def _without_token(scope: Scope) -> tuple[Scope, list[str]]:
    """The scope as the application may see it, and what among its subprotocols was for us, if anything.

    That is `["bearer", token]` or `["dpop", token, proof]`.
    """
    offered = list(scope.get("subprotocols", ()))
    for protocol, length in ((DPOP_PROTOCOL, 3), (PROTOCOL, 2)):
        if protocol in offered[: 1 - length]:
            place = offered.index(protocol)
            shown = offered[place : place + length]
            del offered[place : place + length]
            break
    else:
        return {**scope}, []
    headers = [(name, value) for name, value in scope["headers"] if name != _HEADER]
    if offered:
        headers.append((_HEADER, ", ".join(offered).encode("latin-1")))
    return {**scope, "subprotocols": offered, "headers": headers}, shown


_HEADER: Final = b"sec-websocket-protocol"
# Django asks for https, to know whether a request is secure.
_HTTP: Final = {"ws": "http", "wss": "https"}


def _session_of(scope: Scope, shown: list[str]) -> DeviceSession | None:
    """The session that opens a socket, if any. Raises SessionError or CsrfFailed."""
    # There is no request whose beginning and end would do it.
    _close_old_connections()
    try:
        request = ASGIRequest(
            {**scope, "method": "GET", "scheme": _HTTP[scope.get("scheme", "ws")]}, BytesIO()
        )
        if shown:
            scheme, token, *proof = shown
            session = shortcuts.authenticate(token, client=http.client_showing(request, *proof))
            http.check_scheme(scheme, session)
            return session
        if http.bearer_token(request) is not None:
            return shortcuts.authenticate(request)
        return _by_cookie(request)
    finally:
        _close_old_connections()


def _close_old_connections() -> None:
    for connection in connections.all(initialized_only=True):
        # A test may have begun a transaction.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _by_cookie(request: Any) -> DeviceSession | None:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if key is None:
        return None
    csrf.enforce_origin(request)
    request.session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(key)
    cookie.user_of(request)
    session: DeviceSession | None = request.device_session
    return session


def _closing(error: DevicesError) -> Message:
    code = UNAVAILABLE if isinstance(error, SessionUnverified) else CLOSE_CODE
    return {"type": "websocket.close", "code": code, "reason": error.code}


class _Socket:
    """Stands between the server and the application, and ends what both of them have open."""

    def __init__(self, receive: Receive, send: Send, protocol: str | None) -> None:
        self._receive, self._send, self._protocol = receive, send, protocol
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Message] = self._loop.create_future()
        self._pending: asyncio.Future[Message] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._is_closed = False

    def end(self, error: DevicesError) -> None:
        """From any thread: close the socket, and let the application know."""
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: DevicesError) -> None:
        if not self._ended.done():
            self._ended.set_result({**_closing(error), "type": "websocket.disconnect"})
            # At once, whatever the application waits for.
            self._closing = self._loop.create_task(self._close(error))

    async def refuse(self, error: SessionError | None = None) -> None:
        """Answer the handshake: with an error that a script can read, or with 403."""
        await self._receive()
        if error is None:
            await self._send({"type": "websocket.close"})
            return
        await self.send({"type": "websocket.accept"})
        await self._close(error)

    async def receive(self) -> Message:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        either: set[asyncio.Future[Message]] = {self._pending, self._ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            return self._ended.result()
        message, self._pending = self._pending.result(), None
        return message

    async def send(self, message: Message) -> None:
        if self._is_closed or self._ended.done():
            # Once the session has ended, nothing more is delivered.
            return
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            # A browser that offered protocols fails where none is chosen.
            message = {**message, "subprotocol": self._protocol}
        self._is_closed = message["type"] == "websocket.close"
        await self._send(message)

    async def _close(self, error: DevicesError) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        # A client that has disconnected needs no message.
        with suppress(OSError, RuntimeError):
            await self._send(_closing(error))

    def forget(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
