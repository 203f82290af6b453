"""Streams that end with their session: server-sent events, long downloads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from contextlib import suppress
from typing import TypeVar

from asgiref.sync import sync_to_async

from devices.exceptions import SessionError
from devices.models import DeviceSession

from .watcher import watch

T = TypeVar("T")


def stream(session: DeviceSession, source: Iterable[T]) -> Generator[T, None, None]:
    """Yield what `source` yields until the session ends; noticed when the source yields next."""
    ended = threading.Event()
    watching = watch(session, lambda error: ended.set())
    try:
        for item in source:
            if ended.is_set():
                return
            yield item
    finally:
        watching.stop()
        if isinstance(source, Generator):
            source.close()


async def astream(session: DeviceSession, source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yield what `source` yields until the session ends; then what the source waits for is cancelled."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end_stream(error: SessionError) -> None:
        loop.call_soon_threadsafe(ended.set)

    # It may start a thread, and waits for a lock.
    watching = await sync_to_async(watch)(session, end_stream)
    items, end = aiter(source), asyncio.ensure_future(ended.wait())
    item: asyncio.Future[T] | None = None
    try:
        while True:
            item = asyncio.ensure_future(anext(items))
            await asyncio.wait({item, end}, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return
            try:
                value = item.result()
            except StopAsyncIteration:
                return
            yield value
    finally:
        end.cancel()
        watching.stop()
        if item is not None and item.cancel():
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await item
        if isinstance(items, AsyncGenerator):
            await items.aclose()
