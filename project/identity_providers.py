"""Settings of allauth: its pages, identity providers, and apps."""

from urllib.parse import urlsplit

from .environment import env

# Who the site is, in mails and to authenticator apps.
SITE_NAME = env.str("SITE_NAME", default="devices")

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if env.bool("DEBUG", default=False) else "https"
# Whether nobody gets in before they have proved that their address is theirs. Nobody else is told, then,
# whether it is registered.
REQUIRE_EMAIL_VERIFICATION = env.bool("REQUIRE_EMAIL_VERIFICATION", default=False)
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if REQUIRE_EMAIL_VERIFICATION else "optional"
# Of what changes about an account, its owner is told; of a changed address, at the old one.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# devices.backends.LimitedModelBackend throttles passwords everywhere, exactly.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "provider_token": "30/m/ip",
    "passkey": "60/m/ip",
    "recover": "30/m/ip",
    # A mailbox is counted as one, whatever tag stands behind a plus in its address: how often it may be
    # registered or added to an account, and how many mails of one kind anybody can have sent to it.
    "mailbox": "5/h/key",
    "mail": "10/h/key",
}

# By what people confirm who they are. Which of them counts for whom: accounts.reauthentication.
ACCOUNT_REAUTHENTICATION_METHODS = {"password", "code", "mfa"}

# Second factors. The codes are looked at, and counted, in accounts.second_factor.
MFA_ADAPTER = "accounts.second_factor.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
# A step of 30 seconds to either side, for clocks that are off and fingers that are slow.
MFA_TOTP_TOLERANCE = 1

# Apps: allauth's endpoints for them hand out the tokens of the API, and take them.
HEADLESS_CLIENTS = ("app",)
HEADLESS_TOKEN_STRATEGY = "devices.contrib.allauth.DeviceTokens"

# Signing in with other sites. Nobody gets into an account by an address that only they claim to have: both
# the other site and this one must have seen it proved; see accounts.adapters.
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_QUERY_EMAIL = True
# What the others give us to act in people's name is of no use here, so it is not kept.
SOCIALACCOUNT_STORE_TOKENS = False

_google: list[dict[str, object]] = []
_github: list[dict[str, object]] = []
_oidc: list[dict[str, object]] = []
SOCIALACCOUNT_PROVIDERS = {
    "google": {"SCOPE": ["email"], "OAUTH_PKCE_ENABLED": True, "APPS": _google},
    "github": {"SCOPE": ["user:email"], "OAUTH_PKCE_ENABLED": True, "APPS": _github},
    "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": _oidc},
}
# Where a form of ours may lead to, for the Content-Security-Policy.
PROVIDER_ORIGINS = []

if client_id := env.str("GOOGLE_CLIENT_ID", default=""):
    _google.append({"client_id": client_id, "secret": env.str("GOOGLE_CLIENT_SECRET")})
    PROVIDER_ORIGINS.append("https://accounts.google.com")

if client_id := env.str("GITHUB_CLIENT_ID", default=""):
    _github.append({"client_id": client_id, "secret": env.str("GITHUB_CLIENT_SECRET")})
    PROVIDER_ORIGINS.append("https://github.com")

if server_url := env.str("OIDC_SERVER_URL", default=""):
    _oidc.append(
        {
            # Part of the callback's path and of what links accounts: it stays, whatever the name becomes.
            "provider_id": "oidc",
            "name": env.str("OIDC_NAME", default="OpenID Connect"),
            "client_id": env.str("OIDC_CLIENT_ID"),
            "secret": env.str("OIDC_CLIENT_SECRET"),
            "settings": {"server_url": server_url},
        }
    )
    PROVIDER_ORIGINS.append("{0.scheme}://{0.netloc}".format(urlsplit(server_url)))
