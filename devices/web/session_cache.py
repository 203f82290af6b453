"""The cache of Django's session engines, and what becomes of sessions while it does not answer."""

import logging
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final

from django.core.cache.backends.base import InvalidCacheKey
from django.db import OperationalError

logger = logging.getLogger("devices")

# Nothing is kept by this name.
NOTHING: Final = "devices.nothing"


class SessionCache:
    """A cache as session engines use it. What it cannot read, or takes no key for, is not there.

    While it does not answer, whoever needs it gets an OperationalError, as where a database is away; for
    others it is empty.
    """

    def __init__(self, cache: Any, *, is_needed: bool) -> None:
        self._cache, self._is_needed = cache, is_needed

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the cache's method of this name, which fails as the class says."""
        if name.startswith("_"):
            raise AttributeError(name)  # As of a copy, which has no cache yet.
        is_async = iscoroutinefunction(getattr(self._cache, name))
        return partial(self._aask if is_async else self._ask, name)

    def __contains__(self, key: str) -> bool:
        return bool(self._ask("has_key", key))

    def _ask(self, method: str, *given: Any) -> Any:
        try:
            return getattr(self._cache, method)(*given)
        except Exception as error:
            try:
                self._cache.get(NOTHING)
            except Exception:
                return self._without(error)
            return _unreadable(error, method)

    async def _aask(self, method: str, *given: Any) -> Any:
        try:
            return await getattr(self._cache, method)(*given)
        except Exception as error:
            try:
                await self._cache.aget(NOTHING)
            except Exception:
                return self._without(error)
            return _unreadable(error, method)

    def _without(self, error: Exception) -> None:
        if self._is_needed:
            raise OperationalError("The cache of the cookie sessions does not answer.") from error
        logger.warning("The cache of the cookie sessions does not answer: %s", error)


def _unreadable(error: Exception, method: str) -> None:
    # The cache answers, so it is the key, or a value of an earlier release that cannot be unpickled.
    if not (isinstance(error, InvalidCacheKey) or method in ("get", "aget")):
        raise error
