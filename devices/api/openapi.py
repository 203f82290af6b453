"""How an endpoint is described in OpenAPI: what it takes, gives and refuses. For the `schema` modules."""

from abc import ABC
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

from drf_spectacular.drainage import isolate_view_method
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import (
    ResolvedComponent,
    alpha_operation_sorter,
    get_class,
    safe_ref,
)
from drf_spectacular.utils import (
    Direction,
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
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from devices.exceptions import (
    AccountNotActive,
    DeviceCodeInvalid,
    DeviceCodeRequired,
    DPoPNonceRequired,
    EmailNotVerified,
    InvalidDPoPProof,
    LoginTooStrange,
    OtpInvalid,
    OtpRequired,
    SessionError,
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
    TokenNotValid(),
    SessionRevoked(),
    SessionExpired(),
    InvalidDPoPProof(),
    DPoPNonceRequired(),
)


# a proof of a key where tokens are given out,
TOKEN_REQUEST = (InvalidDPoPProof(), DPoPNonceRequired())
for each in TOKEN_REQUEST:
    each.status = 400
# credentials,
CREDENTIALS = (
    *TOKEN_REQUEST,
    AccountNotActive(),
    LoginTooStrange(),
    EmailNotVerified(),
    OtpRequired(),
    OtpInvalid(),
    DeviceCodeRequired("5f0d6a52-1a0e-4a7e-9d3b-0f6a1c2e4b77"),
    Throttled(wait=60),
)
# a code for a new device,
CODE = (
    *TOKEN_REQUEST,
    DeviceCodeInvalid(),
    AccountNotActive(),
    LoginTooStrange(),
    OtpRequired(),
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
    description="For apps: a random ID of the installation, at most 128 characters. Keep it secret. "
    "Signing in again with it replaces the device's session instead of adding one.",
)

PROOF = OpenApiParameter(
    "DPoP",
    str,
    OpenApiParameter.HEADER,
    description="A proof of the client's key (RFC 9449): the tokens are bound to it.",
)


# What the names of our components begin with, so that they are none of the host project's.
PREFIX = "Devices"


class OurSerializer(ABC):  # noqa: B024  # a question about classes, which no class derives from
    """Stands for the serializers of this app, without those that a host project derives from them."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return issubclass(other, BaseSerializer) and other.__module__.startswith("devices.")


class Component(OpenApiSerializerExtension):
    """Names a serializer of ours and its enums, and describes its fields."""

    target_class: Any = OurSerializer
    match_subclasses = True
    # What is said of fields, by name: a description, or parts of their schema.
    described: dict[str, str | dict[str, Any]] = {}

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str | None:
        serializer = get_class(self.target)
        is_ours = issubclass(serializer, OurSerializer)
        return f"{PREFIX}{serializer.__name__}" if is_ours else None

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        fields = mapped["properties"]
        for key, said in self.described.items():
            if key in fields:
                fields[key] |= {"description": said} if isinstance(said, str) else said
        for key, schema in fields.items():
            if "enum" in schema:
                fields[key] = self.with_enum(auto_schema, key, schema)
        return mapped

    @staticmethod
    def with_enum(auto_schema: AutoSchema, key: str, schema: dict[str, Any]) -> dict[str, Any]:
        """The field, with its choices in a component of a name that does not depend on other fields."""
        schema.pop("x-spec-enum-id", None)
        name = f"{PREFIX}{key.title().replace('_', '')}Enum"
        enum = {part: schema.pop(part) for part in ("type", "enum")}
        component = ResolvedComponent(name, ResolvedComponent.SCHEMA, enum, object=name)
        auto_schema.registry.register_on_missing(component)
        return safe_ref({**schema, **component.ref})


class Body(NamedTuple):
    """The body of a request or a response: a serializer or a schema, and an example."""

    shape: Any
    example: Any


def describe(view: str, tag: str, **operations: Callable[[Any], Any]) -> None:
    """Describe the view with this import path, by method or action."""

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
    refuses: Iterable[APIException | SessionError] = (),
    invalid: dict[str, list[str]] | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    file: tuple[str, str] | None = None,
) -> Callable[[Any], Any]:
    """Describe one operation: request, response and errors.

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
        return OpenApiResponse(None, description="Done. The response has no body.")
    return OpenApiResponse(body.shape, examples=[OpenApiExample("Answer", body.example)])


def _file(example: str) -> OpenApiResponse:
    return OpenApiResponse(str, examples=[OpenApiExample("File", example)])


def without_trailing_slash(
    endpoints: list[tuple[str, str, str, Any]],
) -> list[tuple[str, str, str, Any]]:
    """One of SPECTACULAR_SETTINGS' PREPROCESSING_HOOKS: the shorter of the two spellings of each path.

    The paths stay as the URLs have them. The methods of each get an order: those of a viewset come from a
    set, and would be in another order in each process.
    """
    by_path = groupby(endpoints, key=lambda endpoint: endpoint[0])
    return [
        (path.rstrip("/"), regex, method, view)
        for path, same in by_path
        for _, regex, method, view in sorted(same, key=alpha_operation_sorter)
    ]


def _refusals(
    errors: Iterable[APIException | SessionError], invalid: dict[str, list[str]] | None
) -> dict[int, OpenApiResponse]:
    examples: dict[int, dict[str, Any]] = {}
    for each in errors:
        error = SessionDenied(each) if isinstance(each, SessionError) else each
        answer = _answer(error)
        examples.setdefault(error.status_code, {})[answer["code"]] = answer
    refusals = {status: _refusal(ErrorSerializer, named) for status, named in examples.items()}
    if invalid:
        either = {"oneOf": [{"$ref": f"#/components/schemas/{PREFIX}Error"}, FIELD_ERRORS]}
        named = examples.get(400, {})
        shape = either if named else FIELD_ERRORS
        refusals[400] = _refusal(shape, {**named, "what is wrong with each field": invalid})
    return dict(sorted(refusals.items()))


def _answer(error: APIException) -> dict[str, Any]:
    if isinstance(error.detail, dict):  # SimpleJWT's have the code beside the detail
        return {key: str(value) for key, value in error.detail.items()}
    return {"detail": str(error.detail), "code": error.get_codes()}


def _refusal(shape: Any, examples: dict[str, Any]) -> OpenApiResponse:
    return OpenApiResponse(
        shape,
        description=" · ".join(f"`{code}`" if " " not in code else code for code in examples),
        examples=[OpenApiExample(code, value) for code, value in examples.items()],
    )
