"""Pagination of a list that is too long to be counted."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Counts up to LIMIT and says when there is more. The pages are of the first LIMIT rows then."""

    LIMIT = 1000

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.LIMIT)

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than were counted."""
        return self._counted > self.LIMIT

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.LIMIT + 1].count()
