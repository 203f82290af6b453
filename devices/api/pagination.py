"""Pages of long lists, by cursor: as quick at the end as at the start, and stable while rows are added."""

from rest_framework.pagination import CursorPagination


class NewestSessionsFirst(CursorPagination):
    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100


class NewestActivitiesFirst(NewestSessionsFirst):
    ordering = ("-at", "-id")
