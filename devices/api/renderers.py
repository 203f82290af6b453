"""What answers can be besides JSON, and which of them a request asks for."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class CSVRenderer(BaseRenderer):
    """Has `?format=csv` and `Accept: text/csv` understood. The file itself is handed out by the view."""

    media_type = "text/csv"
    format = "csv"


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
