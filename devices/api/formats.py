"""Which formats of the project the endpoints read and write."""

from typing import Any, Final

from rest_framework import settings as drf
from rest_framework.renderers import JSONRenderer

from .parsers import StrictJSONParser

# Its documents have another form than the bodies and answers of the contract: of a list, the link to the next
# page would be lost.
JSON_API: Final = "application/vnd.api+json"


class ProjectFormats:
    """For views: the formats of the project, with JSON in the place of JSON:API."""

    renderer_classes: Any
    parser_classes: Any

    def get_renderers(self) -> list[Any]:
        """Return the renderers of the view."""
        # Exception handlers look here for what the view answers with.
        self.renderer_classes = _plain(self.renderer_classes, JSONRenderer)
        return [each() for each in self.renderer_classes]

    def get_parsers(self) -> list[Any]:
        """Return the parsers of the view."""
        self.parser_classes = _plain(self.parser_classes, StrictJSONParser)
        return [each() for each in self.parser_classes]


def instead() -> dict[str, list[Any]]:
    """Return what the views of SimpleJWT need for the same, as arguments of `as_view()`."""
    given: Any = drf.api_settings
    classes = {
        "renderer_classes": (given.DEFAULT_RENDERER_CLASSES, JSONRenderer),
        "parser_classes": (given.DEFAULT_PARSER_CLASSES, StrictJSONParser),
    }
    plain = {name: _plain(each, json) for name, (each, json) in classes.items()}
    return {name: each for name, each in plain.items() if each != classes[name][0]}


def _plain(classes: Any, plain: type) -> list[Any]:
    return [plain if each.media_type == JSON_API else each for each in classes]
