"""What other services read to verify our tokens; include it under `/.well-known/` at the root."""

from django.urls import path, re_path

from devices.api import well_known

app_name = "devices-well-known"

urlpatterns = [
    path("jwks.json", well_known.jwks, name="jwks"),
    path(
        "oauth-authorization-server",
        well_known.authorization_server,
        name="oauth-authorization-server",
    ),
    # RFC 8414 §3.1: the path of an issuer that has one comes last.
    re_path(
        "^oauth-authorization-server(?P<path>/.+)$",
        well_known.authorization_server,
        name="oauth-authorization-server-below",
    ),
]
