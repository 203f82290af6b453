"""How an endpoint is described in OpenAPI: what it takes, gives and refuses. For the `schema` modules."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from drf_spectacular.drainage import isolate_view_method
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    ParseError,
    Throttled,
    UnsupportedMediaType,
)
from rest_framework.views import APIView

from devices.exceptions import (
    AccountNotActive,
    EmailNotVerified,
    LoginTooStrange,
    OtpInvalid,
    OtpRequired,
    SessionExpired,
    SessionRevoked,
    TokenNotValid,
)

from .errors import BodyTooLarge, SessionDenied
from .serializers import ErrorSerializer

# What an access token is refused with,
BEARER = (
    NotAuthenticated(),
    AuthenticationFailed(
        "Authorization header must contain two space-delimited values", "bad_authorization_header"
    ),
    SessionDenied(TokenNotValid()),
    SessionDenied(SessionRevoked()),
    SessionDenied(SessionExpired()),
)
# credentials,
CREDENTIALS = (
    SessionDenied(AccountNotActive()),
    SessionDenied(LoginTooStrange()),
    SessionDenied(EmailNotVerified()),
    SessionDenied(OtpRequired()),
    SessionDenied(OtpInvalid()),
    Throttled(wait=60),
)
# and any body.
JSON = (
    ParseError("The request is not valid JSON."),
    BodyTooLarge(),
    UnsupportedMediaType("text/plain"),
)

JSON_TYPE = "application/json"

FIELD_ERRORS = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}


# An app says which device it is on; a browser is known by a cookie.
DEVICE = OpenApiParameter(
    "X-Device-ID",
    str,
    OpenApiParameter.HEADER,
    description="For apps: an id of the installation, at most 128 characters, kept secret like a password. "
    "Signing in again with it replaces the device's session instead of adding one.",
)


class Body(NamedTuple):
    """What a request or an answer holds: a serializer or a schema, and an example of it."""

    shape: Any
    example: Any


def describe(view: str, tag: str, **operations: Callable[[Any], Any]) -> None:
    """Describe the view of this dotted path, method by method or action by action."""

    class Described(OpenApiViewExtension):
        target_class = view

        def view_replacement(self) -> type[APIView]:
            # A subclass, so that the view that serves requests stays as it is.
            copy: type[APIView] = type(self.target.__name__, (self.target,), {})
            for method, description in operations.items():
                description(isolate_view_method(copy, method))
            return extend_schema(tags=[tag])(copy)


def operation(
    name: str,
    summary: str,
    description: str,
    *,
    takes: Body | None = None,
    gives: Body | None = None,
    status: int = 200,
    gives_else: tuple[int, Body] | None = None,
    refuses: Iterable[APIException] = (),
    invalid: dict[str, list[str]] | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    file: tuple[str, str] | None = None,
) -> Callable[[Any], Any]:
    """One operation: what it takes and gives, and what it refuses with.

    `gives_else` is what another success answers, `file` a media type and an example of the answer in it.
    `invalid` is an example of field errors. The refusals of a body are known and need not be named.
    """
    answers = {status: _answer_with(gives)}
    if gives_else:
        answers[gives_else[0]] = _answer_with(gives_else[1])
    answers |= _refusals([*refuses, *(JSON if takes else ())], invalid)
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        parameters=list(parameters),
        request=takes.shape if takes else None,
        examples=[OpenApiExample("Request", takes.example, request_only=True)] if takes else [],
        responses={
            **{(code, JSON_TYPE): response for code, response in answers.items()},
            **({(status, file[0]): _file(file[1])} if file else {}),
        },
    )


def _answer_with(body: Body | None) -> OpenApiResponse:
    if body is None:
        return OpenApiResponse(None, description="Done; there is no body.")
    return OpenApiResponse(body.shape, examples=[OpenApiExample("Answer", body.example)])


def _file(example: str) -> OpenApiResponse:
    return OpenApiResponse(str, examples=[OpenApiExample("File", example)])


def without_trailing_slash(
    endpoints: list[tuple[str, str, str, Any]],
) -> list[tuple[str, str, str, Any]]:
    """One of SPECTACULAR_SETTINGS' PREPROCESSING_HOOKS: the shorter of the two spellings of each path."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints]


def _refusals(
    errors: Iterable[APIException], invalid: dict[str, list[str]] | None
) -> dict[int, OpenApiResponse]:
    examples: dict[int, dict[str, Any]] = {}
    for error in errors:
        answer = _answer(error)
        examples.setdefault(error.status_code, {})[answer["code"]] = answer
    refusals = {status: _refusal(ErrorSerializer, named) for status, named in examples.items()}
    if invalid:
        either = {"oneOf": [{"$ref": "#/components/schemas/Error"}, FIELD_ERRORS]}
        named = examples.get(400, {})
        shape = either if named else FIELD_ERRORS
        refusals[400] = _refusal(shape, {**named, "what is wrong with each field": invalid})
    return dict(sorted(refusals.items()))


def _answer(error: APIException) -> dict[str, Any]:
    if isinstance(error.detail, dict):  # SimpleJWT's have the code beside the detail
        return {key: str(error.detail[key]) for key in ("detail", "code")}
    return {"detail": str(error.detail), "code": error.get_codes()}


def _refusal(shape: Any, examples: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(
        shape,
        description=" · ".join(f"`{code}`" if " " not in code else code for code in examples),
        examples=[OpenApiExample(code, value) for code, value in examples.items()],
    )
