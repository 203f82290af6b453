"""A bus that can be broken: a Redis of the test's own, and a line that can be cut, held or frozen."""

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.ports import free_port


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.005)


class Proxy:
    """Stands between a client and a server on this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._reachable = True
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self) -> None:
        """Hold every byte back, in both directions; connections stay open. A frozen server, a partition."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def kill(self) -> None:
        """Close every connection and refuse new ones."""
        self._reachable = False
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def forget(self) -> None:
        """Swallow what comes over the connections of now, without a word; new ones work.

        So do firewalls and load balancers with a connection that was idle for too long.
        """
        self._forgotten.update(self._sockets)

    def revive(self) -> None:
        self._reachable = True

    def close(self) -> None:
        self.resume()
        self.kill()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if not self._reachable:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(self._target)
                except OSError:  # there is nobody
                    client.close()
                    continue
                self._sockets += [client, server]
                for a, b in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if source not in self._forgotten:
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


class Redis:
    """A Redis of the test's own that keeps nothing, and whose process can be frozen or killed."""

    def __init__(self, port: int, folder: str) -> None:
        self.port = port
        self._command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder]
        self.start()

    def start(self) -> None:
        self._launch()
        try:
            # A machine with much else to do takes its time.
            wait_for(self._is_there, seconds=30)
        except AssertionError:
            self.kill()
            raise

    def _launch(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def _is_there(self) -> bool:
        if self._process.poll() is not None:
            # Somebody else's connection has the port just now.
            self._launch()
        return _answers(self.port)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_server() -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server")
    with tempfile.TemporaryDirectory() as folder:
        server = Redis(free_port(), folder)
        try:
            yield server
        finally:
            server.kill()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
