"""A service that asks for many streams at once gets as many as it may have."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from devices.contrib.ssf import streams
from devices.contrib.ssf.models import Stream

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("NO RACES: they need PostgreSQL, see DATABASE_URL")


def test_the_limit_of_streams_holds_at_once():
    at_once = 2 * streams.MOST_STREAMS
    for _ in range(5):
        barrier = Barrier(at_once)

        def create(_, barrier=barrier):
            barrier.wait()
            try:
                streams.create("reports", {})
                return True
            except streams.Wrong:
                return False
            finally:
                connections.close_all()

        with ThreadPoolExecutor(at_once) as threads:
            made = list(threads.map(create, range(at_once)))
        assert sum(made) == Stream.objects.count() == streams.MOST_STREAMS
        Stream.objects.all().delete()
