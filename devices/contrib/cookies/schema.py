"""The OpenAPI descriptions of the paths for single-page apps."""

from typing import Any

from rest_framework import serializers

from devices.api.errors import Refused
from devices.api.openapi import CODE, CREDENTIALS, Body, describe, operation
from devices.api.schema import ACCESS, CODE_EXAMPLE, CREDENTIALS_EXAMPLE, SESSION_ID
from devices.api.serializers import DeviceCodeSerializer, SessionStartSerializer
from devices.conf import conf
from devices.exceptions import (
    CsrfFailed,
    RefreshReused,
    SessionExpired,
    SessionRequired,
    SessionRevoked,
    TokenNotValid,
)

TAG = "cookies"


class CookieTokensSerializer(serializers.Serializer):
    """What the page gets, while the refresh token stays in its cookie."""

    session_id = serializers.UUIDField(
        help_text="Of the session in the cookie, which all tabs share. Another one than before: "
        "another tab has signed in anew.",
    )
    expires_in = serializers.IntegerField(
        help_text="How long the access token lasts, in seconds.",
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        fields: dict[str, serializers.Field] = super().get_fields()
        if conf.ACCESS_COOKIE:
            fields["csrf_token"] = serializers.CharField(
                help_text="For `X-CSRFToken`. The access token is in a cookie."
            )
        else:
            fields["access"] = serializers.CharField()
        return fields


def _example() -> dict[str, Any]:
    access = {"csrf_token": "q" * 64} if conf.ACCESS_COOKIE else {"access": ACCESS}
    return {"session_id": SESSION_ID, "expires_in": 300, **access}


ELSEWHERE = Refused(CsrfFailed())

describe(
    "devices.contrib.cookies.views.CookieLoginView",
    TAG,
    post=operation(
        "loginByCookie",
        "Sign in from a page",
        "Starts a session; its refresh token goes into a cookie that no script reads. Takes what the login "
        "with tokens takes, from pages of this site alone.",
        takes=Body(SessionStartSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(CookieTokensSerializer, _example()),
        refuses=[ELSEWHERE, *CREDENTIALS],
        invalid={"password": ["This field is required."]},
    ),
)

describe(
    "devices.contrib.cookies.views.CookieLoginCodeView",
    TAG,
    post=operation(
        "loginByCookieAndCode",
        "Go on with the code for a new device",
        "After `device_code_required`, from the same browser. Answers as the login does.",
        takes=Body(DeviceCodeSerializer, CODE_EXAMPLE),
        gives=Body(CookieTokensSerializer, _example()),
        refuses=[ELSEWHERE, *CODE],
        invalid={"email_code": ["This field is required."]},
    ),
)

describe(
    "devices.contrib.cookies.views.CookieRefreshView",
    TAG,
    post=operation(
        "refreshByCookie",
        "Get a new access token",
        "For the refresh token in the cookie, which is replaced when it is due. Takes no body.",
        gives=Body(CookieTokensSerializer, _example()),
        refuses=[
            ELSEWHERE,
            SessionRequired(),
            TokenNotValid(),
            SessionRevoked(),
            SessionExpired(),
            RefreshReused(),
        ],
    ),
)

describe(
    "devices.contrib.cookies.views.CookieLogoutView",
    TAG,
    post=operation(
        "logoutByCookie",
        "Sign out",
        "Ends the session in the cookie, and deletes the cookies. The answer is the same without a session "
        "(RFC 7009).",
        status=204,
        refuses=[ELSEWHERE],
    ),
)
