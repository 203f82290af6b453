from stories.settings_allauth_apps import *  # noqa: F403
from stories.settings_allauth_apps import AUTHENTICATION_BACKENDS, MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "stories.allauth_tokens.Guests"]
# As django-axes asks for.
AUTHENTICATION_BACKENDS = ["stories.allauth_tokens.Watching", *AUTHENTICATION_BACKENDS]
ACCOUNT_ADAPTER = "devices.contrib.allauth.AccountAdapter"
HEADLESS_TOKEN_STRATEGY = "devices.contrib.allauth.DeviceTokens"
DEVICES = {"LOGIN_PROOF": "devices.contrib.allauth.proof_of"}
