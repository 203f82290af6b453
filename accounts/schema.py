"""The OpenAPI description of the account's views, told apart from them."""

from rest_framework.exceptions import Throttled

from devices.api.openapi import BEARER, CREDENTIALS, DEVICE, Body, describe, operation
from devices.api.schema import ACCESS, CONFIRMED, CREDENTIALS_EXAMPLE, REFRESH, SESSION_ID
from devices.api.serializers import SessionStartSerializer

from .serializers import (
    SENT,
    AcceptedSerializer,
    EmailTaken,
    MeSerializer,
    PasswordChangeSerializer,
    RegisterSerializer,
    TokensSerializer,
)

TOKENS = {
    "access_token": ACCESS,
    "refresh_token": REFRESH,
    "token_type": "bearer",
    "expires_in": 300,
    "session_id": SESSION_ID,
}

describe(
    "accounts.views.RegisterView",
    "account",
    post=operation(
        "register",
        "Create an account",
        "Creates an account and begins its first session, on the calling device. An address is the same in "
        "whichever case it is written. Where addresses have to be proved first, a mail is sent, and nobody "
        "is told whether there was an account before.",
        takes=Body(RegisterSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TokensSerializer, TOKENS),
        status=201,
        gives_else=(202, Body(AcceptedSerializer, {"detail": str(SENT)})),
        refuses=[EmailTaken(), Throttled(wait=60)],
        invalid={"password": ["This password is too common."]},
        parameters=[DEVICE],
    ),
)

describe(
    "accounts.views.LoginView",
    "account",
    post=operation(
        "login",
        "Sign in",
        "Begins a session on the calling device, named after its user agent, in place of the one it had. "
        "Beyond the limit of sessions the least recently active one ends. Whoever has a second factor sends "
        "a code of it, or a recovery code, as `otp`; each is good once. With `remember: false` the session "
        "ends after 12 hours.",
        takes=Body(SessionStartSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TokensSerializer, TOKENS),
        refuses=CREDENTIALS,
        invalid={"email": ["This field is required."]},
        parameters=[DEVICE],
    ),
)

describe(
    "accounts.views.MeView",
    "account",
    get=operation(
        "me",
        "Who you are",
        "The account, and which of its sessions asks.",
        gives=Body(
            MeSerializer,
            {
                "id": 1,
                "email": "alice@example.org",
                "active_sessions": 2,
                "current_session": {"id": SESSION_ID, "device": "Safari on iOS"},
            },
        ),
        refuses=BEARER,
    ),
)

describe(
    "accounts.views.LogoutView",
    "account",
    post=operation("logout", "Sign out", "Ends the current session.", status=204, refuses=BEARER),
)

describe(
    "accounts.views.PasswordView",
    "account",
    post=operation(
        "changePassword",
        "Change your password",
        "All your other sessions end, so it asks for a recent proof, as ending them does.",
        takes=Body(
            PasswordChangeSerializer,
            {
                "current_password": "correct horse battery 9",
                "new_password": "an even better horse 10",
            },
        ),
        status=204,
        refuses=CONFIRMED,
        invalid={"current_password": ["This is not your current password."]},
    ),
)
