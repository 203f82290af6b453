"""Ports of servers that a test starts itself."""

import random
import socket
from contextlib import ExitStack

# The nodes of a Redis Cluster speak to each other at a port that is so much higher.
CLUSTER_BUS = 10_000


def free_port() -> int:
    """A port that is free, and so is that of its CLUSTER_BUS.

    From 32,768 on the system gives ports to connections, also in the time until the server has it.
    """
    while True:
        # Each process of a run draws others, whatever the seed of its tests.
        port = random.SystemRandom().randrange(12_000, 32_768 - CLUSTER_BUS)
        with ExitStack() as stack:
            try:
                for each in (port, port + CLUSTER_BUS):
                    stack.enter_context(socket.create_server(("127.0.0.1", each)))
            except OSError:
                continue
            return port
