"""Django, for a project that does not have the sessions itself."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from .bearer import bearer_token, headers
from .errors import VerifierError
from .verifier import Verifier

View = Callable[..., HttpResponseBase]


def bearer_required(verifier: Verifier) -> Callable[[View], View]:
    """Let a view be called with a good token only. Its claims are `request.claims`.

    Such a view needs no CSRF token, since it looks at no cookie: add `csrf_exempt` around it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                token = bearer_token(request.headers.get("Authorization", ""))
                request.claims = verifier.verify(token)  # type: ignore[attr-defined]
            except VerifierError as error:
                body = {"detail": error.code}
                return JsonResponse(body, status=error.status, headers=headers(error))
            return view(request, *args, **kwargs)

        return checked

    return decorate
