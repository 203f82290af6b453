"""The OpenAPI descriptions of the account's views."""

from rest_framework.exceptions import Throttled

from devices.api.openapi import (
    BEARER,
    CODE,
    CREDENTIALS,
    DEVICE,
    PROOF,
    TOKEN_REQUEST,
    Body,
    describe,
    operation,
)
from devices.api.schema import (
    ACCESS,
    CODE_EXAMPLE,
    CONFIRMED,
    CREDENTIALS_EXAMPLE,
    REFRESH,
    SESSION_ID,
)
from devices.api.serializers import DeviceCodeSerializer, SessionStartSerializer

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
        "Creates an account and starts its first session, on this device. Addresses are not case-sensitive. "
        "If addresses have to be verified first, the site sends an e-mail, and the response does not reveal "
        "whether there was an account before.",
        takes=Body(RegisterSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TokensSerializer, TOKENS),
        status=201,
        gives_else=(202, Body(AcceptedSerializer, {"detail": str(SENT)})),
        refuses=[*TOKEN_REQUEST, EmailTaken(), Throttled(wait=60)],
        invalid={"password": ["This password is too common."]},
        parameters=[DEVICE, PROOF],
    ),
)

describe(
    "accounts.views.LoginView",
    "account",
    post=operation(
        "login",
        "Sign in",
        "Starts a session on this device, in place of the one that it had. "
        "Beyond the limit of sessions, the least recently used one ends. If you have a second factor, send "
        "a code or a recovery code as `otp`; each works once. With `trust_device: true` and a code, this "
        "device needs no code for some time, where the site allows that (`/api/trusted-devices`). With "
        "`remember: false` the session ends after 12 hours.",
        takes=Body(SessionStartSerializer, CREDENTIALS_EXAMPLE),
        gives=Body(TokensSerializer, TOKENS),
        refuses=CREDENTIALS,
        invalid={"email": ["This field is required."]},
        parameters=[DEVICE, PROOF],
    ),
)

describe(
    "accounts.views.LoginCodeView",
    "account",
    post=operation(
        "loginByCode",
        "Go on with the code for a new device",
        "Where the site asks for a code on new devices, `/api/login` refuses the first one with "
        "`device_code_required` and a `challenge`, and a mail has the code. Send both from the same device, "
        "which its cookie or `X-Device-ID` shows. The code is good once, for ten minutes.",
        takes=Body(DeviceCodeSerializer, CODE_EXAMPLE),
        gives=Body(TokensSerializer, TOKENS),
        refuses=CODE,
        invalid={"email_code": ["This field is required."]},
        parameters=[DEVICE, PROOF],
    ),
)

describe(
    "accounts.views.MeView",
    "account",
    get=operation(
        "me",
        "Show who is signed in",
        "The account, and the session that made the request.",
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
        "Ends all your other sessions, so it needs a recent proof of who you are.",
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
