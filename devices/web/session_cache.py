"""The cache of Django's session engines, and what becomes of sessions while it does not answer."""

import logging
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import BaseCache, CacheKeyWarning, InvalidCacheKey
from django.db import OperationalError

logger = logging.getLogger("devices")

# Nothing is kept by this name for longer than a second.
NOTHING: Final = "devices.nothing"


class SessionCache:
    """A cache as session engines use it. What it cannot read, or takes no key for, is not there.

    While it does not answer, whoever needs it gets an OperationalError, as where a database is away; for
    others it is empty. It is the same for what is to be written while it can only be read, as a Redis without
    memory or one that a failover has made a replica. Some caches hide that they do not answer, and find
    nothing then: those with django-redis's IGNORE_EXCEPTIONS, and Django's for memcached during the second
    after an error.
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
            answer = getattr(self._cache, method)(*given)
        except Exception as error:
            if self._is_away(method, *given):
                return self._without(error)
            return _unreadable(error, method)
        if self._is_needed and _is_nothing(answer) and self._hides_outage(method, *given):
            return self._without()
        return answer

    async def _aask(self, method: str, *given: Any) -> Any:
        # Asked anew without async: a cache may make its `aincr` of an `aget`, which finds nothing.
        try:
            answer = await getattr(self._cache, method)(*given)
        except Exception as error:
            if await sync_to_async(self._is_away)(method[1:], *given):
                return self._without(error)
            return _unreadable(error, method)
        if (
            self._is_needed
            and _is_nothing(answer)
            and await sync_to_async(self._hides_outage)(method[1:], *given)
        ):
            return self._without()
        return answer

    def _is_away(self, method: str, key: str, *given: Any) -> bool:
        """Whether it fails whatever the value is. Of several servers, the one that has the key may do so."""
        try:
            self._cache.get(NOTHING)
            if method in ("set", "add", "delete"):
                self._cache.set(NOTHING, 0, 1)
                # It is to live for as long anyway, or to be gone.
                self._cache.touch(key, given[-1] if given else 1)
            elif self._has_own_has_key():
                self._cache.has_key(key)
        except (InvalidCacheKey, CacheKeyWarning):  # which -W error raises
            return False
        except Exception:
            return True
        return self._hides_outage("get", key)

    def _has_own_has_key(self) -> bool:
        # Django's own is a `get`, which fails for what cannot be read.
        return type(self._cache).has_key is not BaseCache.has_key

    def _hides_outage(self, method: str, key: str, *given: Any) -> bool:
        """Whether a cache that has found nothing, or added nothing, does not answer at all."""
        try:
            if method == "add":
                return not self._cache.has_key(key)
            # Nothing is counted: a key that is not there is an error, and so is the data of a session.
            return method == "get" and not self._cache.incr(key)
        except Exception:
            return False

    def _without(self, error: Exception | None = None) -> None:
        if self._is_needed:
            raise OperationalError("The cache of the cookie sessions does not answer.") from error
        logger.warning("The cache of the cookie sessions does not answer: %s", error)


def _is_nothing(answer: Any) -> bool:
    # A session without data is something.
    return answer is None or answer is False


def _unreadable(error: Exception, method: str) -> None:
    # The cache answers, so it is the key, or a value of an earlier release that cannot be unpickled.
    if not (isinstance(error, InvalidCacheKey) or method in ("get", "aget")):
        raise error
