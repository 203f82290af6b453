"""PostgreSQL's plans, whatever other tests and its own vacuum have left of a table."""

from django.db import connection

from tests.roles import is_superuser


def prefer_indexes() -> None:
    """Until the transaction ends, plan as for tables that are dear to read as a whole, and never analyzed.

    Small ones are read as a whole otherwise. Of one that was found empty, all indexes are as good.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        if is_superuser():
            cursor.execute(
                "UPDATE pg_class SET relpages = 0, reltuples = -1"
                " WHERE relname LIKE 'devices%' OR relname LIKE 'accounts%'"
            )
