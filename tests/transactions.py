"""Transactions of others that are open meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def holding(take: Callable[[], object]) -> Iterator[None]:
    """Another transaction is open, and has taken something."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                take()
                taken.set()
                done.wait(60)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert taken.wait(20)
        yield
    finally:
        done.set()
        holder.join()
