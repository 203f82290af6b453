"""What allauth's endpoints for apps take in, by the rules of this site's API."""

import io
from importlib import import_module
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.internal.restkit.inputs import Input
from allauth.headless.internal.restkit.views import RESTView
from django.http import HttpRequest, HttpResponseBadRequest
from rest_framework.exceptions import APIException

from devices.api.parsers import StrictJSONParser

# The modules that define inputs with passwords in them.
MODULES = ("allauth.headless.account.inputs", "allauth.headless.socialaccount.inputs")


def parse_json(self: RESTView, request: HttpRequest) -> dict[str, Any] | None:
    """As allauth's, but deep nesting is answered 400, too."""
    if request.method == "GET" or not request.body:
        return None
    try:
        data = StrictJSONParser().parse(io.BytesIO(request.body))
    except APIException as error:
        raise ImmediateHttpResponse(response=HttpResponseBadRequest()) from error
    if not isinstance(data, dict):
        raise ImmediateHttpResponse(response=HttpResponseBadRequest())
    return data


def take_over() -> None:
    """Take JSON as the API does, and a password as it was typed (ASVS 6.2.9): allauth's pages strip none."""
    RESTView._parse_json = parse_json
    for module in map(import_module, MODULES):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Input):
                fields: dict[str, Any] = vars(value)["base_fields"]
                for field in fields:
                    if "password" in field:
                        fields[field].strip = False
