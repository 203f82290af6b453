"""Say in one sentence that a port is in use, before anything is done: `port.py [ADDRESS:]PORT`.

The address is written as runserver takes it.
"""

import errno
import socket
import sys


def main(asked: str) -> None:
    host, _, port = asked.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    try:
        socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"Port {port} is in use: name another, as in `make run PORT=8001`.")
        raise


if __name__ == "__main__":
    main(sys.argv[1])
