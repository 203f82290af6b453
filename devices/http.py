"""Floor 3: turns a request into a Client. The only reader of `request.META`."""

from django.http import HttpRequest
from rest_framework.request import Request

from .conf import conf
from .core import address
from .core.agents.hints import HINT_HEADERS
from .core.client import Client, clean_user_agent


def client_of(request: HttpRequest | Request) -> Client:
    meta = request.META
    return Client(
        ip_address=address.resolve(
            meta.get("REMOTE_ADDR"),
            {name: meta.get(_meta_key(name), "") for name in address.FORWARDING_HEADERS},
            conf.TRUSTED_PROXIES,
            conf.TRUSTED_PROXY_HEADER,
        ),
        user_agent=clean_user_agent(meta.get("HTTP_USER_AGENT", "")),
        hints={name: meta[key] for name, key in _HINT_KEYS if key in meta},
    )


def _meta_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


_HINT_KEYS = [(name, _meta_key(name)) for name in HINT_HEADERS]
