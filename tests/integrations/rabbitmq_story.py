"""RabbitMQ asks the project of docs/recipes/rabbitmq.md, and a client over MQTT stays as long as its session.

argv: the ports of the site, of MQTT and of RabbitMQ's management.
"""

import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils import timezone
from shop import broker

from devices.models import DeviceSession
from devices.shortcuts import Client, end_session, issue_tokens, start_session
from tests.integrations.behaviour import people, report

SITE, MQTT, MANAGEMENT = map(int, sys.argv[1].split(","))
broker.MANAGEMENT = broker.MANAGEMENT.replace("15672", str(MANAGEMENT))
settings.ALLOWED_HOSTS += ["127.0.0.1"]
alice = people()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


django = get_wsgi_application()


def application(environ, start_response):
    yield from django(environ, start_response)
    connections.close_all()


server = make_server("127.0.0.1", SITE, application, handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()


def text(value):
    data = value.encode()
    return struct.pack("!H", len(data)) + data


class Device:
    """A client of MQTT 3.1.1, as far as a story needs one."""

    def __init__(self, name, password):
        self.socket = socket.create_connection(("127.0.0.1", MQTT), timeout=10)
        # A new session of MQTT, with a name and a password.
        self.send(
            0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text("device") + text(name) + text(password)
        )
        self.is_in = self.socket.recv(4) == b"\x20\x02\x00\x00"

    def send(self, kind, body):
        length, size = b"", len(body)
        while True:
            size, part = divmod(size, 128)
            length += bytes([part | (0x80 if size else 0)])
            if not size:
                break
        self.socket.sendall(bytes([kind]) + length + body)

    def hears_itself(self):
        """Whether what it publishes comes back; False if the connection is closed."""
        with suppress(ConnectionError):
            self.send(0x82, b"\x00\x01" + text("news") + b"\x00")
            assert self.socket.recv(5)[:1] in (b"\x90", b""), "no answer to SUBSCRIBE"
            self.send(0x30, text("news") + b"hello")
            return self.socket.recv(64)[:1] == b"\x30"
        return False

    def is_closed(self, within):
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(10)


def sign_in():
    tokens = start_session(Client("203.0.113.9", "a thermometer"), alice)
    return tokens.session, str(tokens.session.pk), tokens


def wait_until_listed(name):
    """RabbitMQ writes its list of connections every five seconds."""
    for _ in range(150):
        if name in str(broker.management("GET", "?columns=user")):
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} is not listed")


# Who may connect.
session, name, tokens = sign_in()
DeviceSession.objects.update(last_active=timezone.now() - timedelta(minutes=10))
here = Device(name, tokens.access)
assert here.is_in and here.hears_itself()
session.refresh_from_db()
assert session.last_ip == "203.0.113.9" and session.last_active > timezone.now() - timedelta(
    minutes=1
)
for other in (
    (name, tokens.refresh),
    (name, tokens.access + "x"),
    (sign_in()[1], tokens.access),
    ("alice", tokens.access),
):
    assert not Device(*other).is_in, other

# A token that is bound to a key would need a proof.
bound = sign_in()[0]
DeviceSession.objects.filter(pk=bound.pk).update(binding="dpop", binding_key="x" * 43)
bound.refresh_from_db()
assert not Device(str(bound.pk), issue_tokens(bound).access).is_in

# The session ends, and with it the connection.
end_session(session)
assert here.is_closed(within=10)
assert not Device(name, tokens.access).is_in

# It expires: nobody says so.
session, name, tokens = sign_in()
here = Device(name, tokens.access)
assert here.is_in and here.hears_itself()
wait_until_listed(name)
broker.disconnect_ended()
assert not here.is_closed(within=1)
DeviceSession.objects.filter(pk=session.pk).update(expires_at=timezone.now())
assert not here.is_closed(within=1)
broker.disconnect_ended()
assert here.is_closed(within=10)

# RabbitMQ is not there for a moment.
session, name, tokens = sign_in()
here = Device(name, tokens.access)
assert here.is_in
wait_until_listed(name)
right, broker.MANAGEMENT = broker.MANAGEMENT, "http://127.0.0.1:1"
end_session(session)
broker.MANAGEMENT = right
assert here.hears_itself()
broker.disconnect_ended()
assert here.is_closed(within=10)
report({})
