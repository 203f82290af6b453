"""The role by which the suite uses its database."""

from django.db import connection


def is_superuser() -> bool:
    """Whether it may do all on a PostgreSQL, such as switch triggers off."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser')")
        return bool(cursor.fetchone() == ("on",))
