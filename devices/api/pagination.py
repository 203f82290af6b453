"""Pages of long lists, by cursor: as quick at the end as at the start, and stable while rows are added."""

import re
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from devices.core import database


class NewestSessionsFirst(CursorPagination):
    """Pages of sessions by cursor, the newest first. An invalid page size is refused."""

    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        # DRF would put its default in place of what it does not understand.
        given = request.query_params.getlist(self.page_size_query_param, [str(self.page_size)])
        size = int(given[0]) if re.fullmatch("[0-9]{1,3}", given[0]) else 0
        if len(given) > 1 or not 1 <= size <= self.max_page_size:
            raise ValidationError(
                {
                    self.page_size_query_param: [
                        _("Give a number from 1 to %(max)d, once.") % {"max": self.max_page_size}
                    ]
                }
            )
        return size

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        described = super().get_schema_operation_parameters(view)
        for parameter in described:
            if parameter["name"] == self.page_size_query_param:
                bounds = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
                parameter["schema"] |= bounds
        return described

    def decode_cursor(self, request: Request) -> Cursor | None:
        if len(request.query_params.getlist(self.cursor_query_param)) > 1:
            raise NotFound(self.invalid_cursor_message)
        cursor = super().decode_cursor(request)
        # DRF hands the position inside to the database as it is, whoever wrote it.
        if cursor is not None and cursor.position is not None and not _is_time(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class NewestActivitiesFirst(NewestSessionsFirst):
    """Pages of activity log entries by cursor, the newest first."""

    ordering = ("-at", "-id")


def _is_time(position: Any) -> bool:
    try:
        time = parse_datetime(position)
        return time is not None and time.tzinfo is not None and bool(database.in_utc(time))
    except (ValueError, OverflowError):
        return False
