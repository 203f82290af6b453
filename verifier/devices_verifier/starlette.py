"""Starlette and FastAPI: `Bearer` as a dependency, or as middleware for all of an application."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .bearer import bearer_token, headers
from .errors import VerifierError
from .verifier import Claims, Verifier


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

    Paths of `exempt` are let in without one.
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
        except VerifierError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": error.code})
                return
            answer = JSONResponse({"detail": error.code}, error.status, headers(error))
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)
