"""Starlette and FastAPI: `Bearer` as a dependency, or as middleware for all of an application."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .bearer import bearer_token, headers
from .errors import VerifierError
from .verifier import Claims, Verifier

# Seconds between two looks at the session of an open WebSocket.
PAUSE: Final = 1.0
# Of the range for applications (RFC 6455 §7.4.2), like HTTP's 401; and "Try Again Later".
ENDED: Final = 4401
UNAVAILABLE: Final = 1013


class Bearer:
    """A dependency of FastAPI, which gives the claims of the request's token: `Depends(Bearer(verifier))`.

    In Starlette call it: `claims = await bearer(request)`. Raises HTTPException (401, 503).
    """

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def __call__(self, request: HTTPConnection) -> Claims:
        try:
            return self._verifier.verify(bearer_token(request.headers.get("authorization", "")))
        except VerifierError as error:
            raise HTTPException(error.status, error.code, headers(error)) from error


class VerifierMiddleware:
    """Lets requests and WebSockets in that carry a good token; `request.state.claims` has its claims.

    Paths of `exempt` are let in without one. Within a second after its session has ended, a WebSocket is
    closed with 4401 and a reason such as "session_revoked", and with 1013 if the feed is lost. What the
    application does for it is cancelled.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier, exempt: tuple[str, ...] = ()) -> None:
        self._app, self._verifier, self._exempt = app, verifier, frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        try:
            token = bearer_token(Headers(scope=scope).get("authorization", ""))
            scope.setdefault("state", {})["claims"] = self._verifier.verify(token)
            is_socket = scope["type"] == "websocket"
            demand_active = self._verifier.watch(token) if is_socket else None
        except VerifierError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": error.code})
                return
            answer = JSONResponse({"detail": error.code}, error.status, headers(error))
            await answer(scope, receive, send)
            return
        if demand_active is None:
            await self._app(scope, receive, send)
        else:
            await self._run(demand_active, scope, receive, send)

    async def _run(
        self, demand_active: Callable[[], None], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run the application for a WebSocket until it is through, or the session has ended."""
        is_closed = False

        async def note_and_send(message: Message) -> None:
            nonlocal is_closed
            is_closed = message["type"] == "websocket.close"
            await send(message)

        running = asyncio.ensure_future(self._app(scope, receive, note_and_send))
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=PAUSE)
                if not running.done():
                    demand_active()
        except VerifierError as error:
            running.cancel()
            await asyncio.wait({running})
            if not is_closed:
                code = UNAVAILABLE if error.status == 503 else ENDED
                await send({"type": "websocket.close", "code": code, "reason": error.code})
        else:
            # What the application raises is its own, also if that is an error of a verifier.
            running.result()
        finally:
            running.cancel()
