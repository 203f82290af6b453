"""Floor 3: turns a request into a Client. The only reader of `request.META`."""

from django.http import HttpRequest
from rest_framework.request import Request

from .core.client import Client


def client_of(request: HttpRequest | Request) -> Client:
    meta = request.META
    return Client(
        ip_address=meta.get("REMOTE_ADDR") or None,
        user_agent=meta.get("HTTP_USER_AGENT", "")[:512],
    )
