"""The public decorators for Django's own views, synchronous or asynchronous, which DRF does not serve."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from devices.conf import conf
from devices.exceptions import ConfirmationRequired, DevicesError, SessionError
from devices.http import token_header, wants_page
from devices.models import DeviceSession
from devices.shortcuts import authenticate, error_response

from .core import step_up
from .web.step_up import to_confirm, to_sign_in

# A guarded view keeps its type, for host projects that check theirs.
View = TypeVar("View", bound=Callable[..., Any])

__all__ = ["recently_confirmed", "session_required"]


def session_required(view: View) -> View:
    """Let a request through only if it has an active session, by bearer token or by Django's session cookie.

    The view finds its user as `request.user` and the session as `request.auth`. Others are answered with JSON
    (401, 403); a person who opened a page is sent to sign in. Requests with a token need no CSRF token; those
    with a cookie do, also if the view is exempt.

        @session_required
        def orders(request): ...

        @method_decorator(session_required, name="dispatch")
        class Orders(View): ...
    """
    return _guarded(view, lambda session: None)


@overload
def recently_confirmed(view: View) -> View: ...


@overload
def recently_confirmed(
    view: None = None, *, within: timedelta | None = None, max_age: int | None = None
) -> Callable[[View], View]: ...


def recently_confirmed(
    view: Any = None, *, within: timedelta | None = None, max_age: int | None = None
) -> Any:
    """As `session_required`, and the user proved recently who they are, by a second factor if any.

    Others are answered with the JSON of RFC 9470 (401 `insufficient_user_authentication`). A person who
    opened a page is sent to confirm, and from there back; one who sent a form, to the page it is on.

    Args:
        within: the greatest age of the proof. None stands for STEP_UP_MAX_AGE.
        max_age: the same in seconds.

        @recently_confirmed
        def transfer(request): ...

        @method_decorator(recently_confirmed(within=timedelta(minutes=5)), name="dispatch")
        class Transfer(FormView): ...
    """
    if max_age is not None:
        within = timedelta(seconds=max_age)

    def check(session: DeviceSession) -> None:
        if step_up.missing_proof(session, within) is not None:
            raise ConfirmationRequired(within if within is not None else conf.STEP_UP_MAX_AGE)

    decorate = partial(_guarded, check=check)
    return decorate if view is None else decorate(view)


def _guarded(view: View, check: Callable[[DeviceSession], None]) -> View:
    def refusal(request: HttpRequest) -> HttpResponseBase | None:
        try:
            session = authenticate(request)
            check(session)
        except DevicesError as error:
            return _answer(request, error)
        request.user, request.auth = session.user, session  # type: ignore[attr-defined]
        return None

    async def later(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = await sync_to_async(refusal)(request) or view(request, *args, **kwargs)
        return _vary(await answer if isawaitable(answer) else answer)

    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _vary(refusal(request) or view(request, *args, **kwargs))

    # Where a cookie came, `authenticate` runs the check.
    return cast(View, csrf_exempt(wraps(view)(later if _is_asynchronous(view) else guarded)))


def _vary(answer: Any) -> Any:
    """Tell caches that the answer is for who asked: `cache_page` sees it before any middleware does."""
    patch_vary_headers(answer, (token_header(), "Cookie"))
    return answer


def _is_asynchronous(view: Callable[..., Any]) -> bool:
    """Whether a view is a coroutine function, or the `dispatch` of a class with asynchronous handlers."""
    bound = view.func if isinstance(view, partial) else view
    instance = getattr(bound, "__self__", None)
    return iscoroutinefunction(view) or getattr(type(instance), "view_is_async", False)


def _answer(request: HttpRequest, error: DevicesError) -> HttpResponseBase:
    if not wants_page(request) or not isinstance(error, SessionError):
        return error_response(error)
    if isinstance(error, ConfirmationRequired):
        return to_confirm(request)
    return to_sign_in(request)
