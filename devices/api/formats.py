"""Which formats of the project the endpoints read and write."""

from typing import Any, Final

from rest_framework.renderers import JSONRenderer
from rest_framework.settings import api_settings

from .parsers import StrictJSONParser

# Its documents have another form than the bodies and answers of the contract: of a list, the link to the next
# page would be lost.
JSON_API: Final = "application/vnd.api+json"


def _plain(classes: Any, plain: type) -> list[Any]:
    return [plain if each.media_type == JSON_API else each for each in classes]


class ProjectFormats:
    """For views: the formats of the project, with JSON in the place of JSON:API."""

    renderer_classes: Any = _plain(api_settings.DEFAULT_RENDERER_CLASSES, JSONRenderer)
    parser_classes: Any = _plain(api_settings.DEFAULT_PARSER_CLASSES, StrictJSONParser)
