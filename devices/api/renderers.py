"""What answers can be besides JSON, and which of them a request asks for."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class CSVRenderer(BaseRenderer):
    """Has `?format=csv` and `Accept: text/csv` understood. The file itself is handed out by the view."""

    media_type = "text/csv"
    format = "csv"


def without_csv(classes: Iterable[Any]) -> list[Any]:
    """Return all but those that write CSV: of ours the view hands out the whole file, of others one page."""
    media_type, format_ = CSVRenderer.media_type, CSVRenderer.format
    return [each for each in classes if each.media_type != media_type and each.format != format_]


class FormatFirst(DefaultContentNegotiation):
    """`?format=` goes before `Accept`, which generated clients set to JSON in each request."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """As DRF's. Raises Http404 for a format that there is not."""
        if not format_suffix:
            return super().select_renderer(request, renderers)
        [chosen, *_] = self.filter_renderers(renderers, format_suffix)
        return chosen, chosen.media_type
