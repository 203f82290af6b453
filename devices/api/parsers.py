"""JSON as we take it: bounded in size and nesting, and text that every database can store."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large.")
    default_code = "too_large"


class StrictJSONParser(JSONParser):
    """RFC 8259 in UTF-8. DRF's own parser reads bodies of any size, and answers 500 to deep nesting."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1) if limit else stream.read()
        if limit and len(body) > limit:
            raise BodyTooLarge
        try:
            parsed = json.loads(body.decode(), parse_constant=_refuse_constant)
            # A lone surrogate ("\ud800") is a str that no database and no hasher can encode.
            json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The request is not valid JSON.")) from error
        return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
