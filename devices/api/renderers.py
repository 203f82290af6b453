"""What answers can be besides JSON."""

from rest_framework.renderers import BaseRenderer


class CSVRenderer(BaseRenderer):
    """Has `?format=csv` and `Accept: text/csv` understood. The file itself is handed out by the view."""

    media_type = "text/csv"
    format = "csv"
