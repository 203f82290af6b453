"""Two ways to the same consumer: by our middleware, and by Channels' own."""

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.generic.websocket import JsonWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from devices.contrib.channels import DeviceAuthMiddleware  # noqa: E402

# By user, of the sockets that are open: what the application was told.
left: list[dict] = []


class Feed(JsonWebsocketConsumer):
    """Says who is there, and repeats what it is sent."""

    def connect(self):
        offered = self.scope["subprotocols"]
        self.accept("feed" if "feed" in offered else None)
        session = self.scope.get("device_session")
        self.send_json(
            {
                "user": self.scope["user"].get_username(),
                "session": session and str(session.pk),
                "subprotocols": offered,
                "headers": sorted(name.decode() for name, _ in self.scope["headers"]),
            }
        )

    def receive_json(self, content):
        self.send_json({"left": left} if content == "left" else content)

    def disconnect(self, code):
        left.append({"user": self.scope["user"].get_username(), "code": code})


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter(
            [
                path("feed", DeviceAuthMiddleware(Feed.as_asgi())),
                path("stock", AuthMiddlewareStack(Feed.as_asgi())),
            ]
        ),
    }
)
