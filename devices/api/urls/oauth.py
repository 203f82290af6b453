"""What other services ask with a secret of their own (SERVICE_CLIENTS)."""

from devices.api import feed, oauth
from devices.api.routing import endpoint

app_name = "devices-oauth"

urlpatterns = [
    endpoint("token", oauth.token, "token"),
    endpoint("introspect", oauth.introspect, "introspect"),
    endpoint("revoke", oauth.revoke, "revoke"),
    endpoint("feed", feed.poll, "feed"),
    endpoint("feed/stream", feed.stream, "feed-stream"),
]
