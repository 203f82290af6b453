"""A service of somebody else, in FastAPI: it has no database, no Django, and none of the site's code."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from devices_verifier import Verifier
from devices_verifier.starlette import Bearer
from fastapi import Depends, FastAPI

SITE = os.environ["SITE"]

verifier = Verifier(
    f"{SITE}/oauth/feed",
    jwks_url=f"{SITE}/.well-known/jwks.json",
    issuer="devices",
    audience="devices-api",
    client_id="reports",
    client_secret=os.environ["SECRET"],
    max_staleness=float(os.environ["BOUND"]),
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with verifier:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/report")
async def report(claims: Annotated[Any, Depends(Bearer(verifier))]) -> dict[str, Any]:
    return {"user": claims["user_id"], "session": claims["session_id"]}


@app.get("/healthz")
async def health() -> dict[str, Any]:
    return verifier.status()
