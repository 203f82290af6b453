"""JSON as we take it: bounded in size and nesting, and text that every database can store."""

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from .errors import BodyTooLarge

# What nests deeper than any body of ours would bring the code behind the parser to its recursion limit.
MAX_DEPTH = 32


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
            parsed = json.loads(
                body.decode(),
                parse_constant=_refuse_constant,
                object_pairs_hook=_each_key_once,
            )
            _check_depth(parsed)
            # A lone surrogate ("\ud800") is a str that no database and no hasher can encode.
            json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The request is not valid JSON.")) from error
        return parsed


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Which of two values counts is for each parser to say (RFC 8259 §4), so no two may differ about it.
    parsed = dict(pairs)
    if len(parsed) < len(pairs):
        raise ValueError("a key stands twice")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_depth(parsed: Any) -> None:
    level = [parsed]
    for _depth in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
    if level:
        raise ValueError("nested too deeply")


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
