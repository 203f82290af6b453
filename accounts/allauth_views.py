"""The views of allauth that the site serves, by the names of their URLs. All others are refused.

allauth adds ways in with its minor releases. One that nobody here has looked at must not open by an upgrade:
somebody decides first what it proves, and lists it here and in tests/test_login_entry_points.py.
"""

from typing import Final

PAGES: Final = frozenset(
    {
        "account_change_password",
        "account_confirm_email",
        "account_confirm_login_code",
        "account_confirm_reauthentication_code",
        "account_email",
        "account_email_verification_sent",
        "account_inactive",
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "account_request_reauthentication_code",
        "account_recover",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "account_set_password",
        "account_sign_in_again",
        "account_signup",
        # allauth's endpoint for apps, which asks for a recent proof here.
        "app_change_password",
        "github_callback",
        "github_login",
        "google_callback",
        "google_login",
        "google_login_by_token",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_authenticate",
        "mfa_deactivate_totp",
        "mfa_download_recovery_codes",
        "mfa_edit_webauthn",
        "mfa_generate_recovery_codes",
        "mfa_index",
        "mfa_list_webauthn",
        "mfa_login_webauthn",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "mfa_remove_webauthn",
        "mfa_trust",
        "mfa_view_recovery_codes",
        "openid_connect_callback",
        "openid_connect_login",
        "socialaccount_connections",
        "socialaccount_login_cancelled",
        "socialaccount_login_error",
        "socialaccount_signup",
    }
)

# Endpoints for apps, below "headless:app:".
APPS: Final = frozenset(
    {
        "account:change_password",
        "account:confirm_login_code",
        "account:confirm_reauthentication_code",
        "account:current_session",
        "account:login",
        "account:manage_email",
        "account:manage_phone",
        "account:reauthenticate",
        "account:request_password_reset",
        "account:request_reauthentication_code",
        "account:resend_email_verification_code",
        "account:resend_phone_verification_code",
        "account:resend_reauthentication_code",
        "account:reset_password",
        "account:signup",
        "account:verify_email",
        "account:verify_phone",
        "config",
        "mfa:authenticate",
        "mfa:authenticate_webauthn",
        "mfa:authenticators",
        "mfa:login_webauthn",
        "mfa:manage_recovery_codes",
        "mfa:manage_totp",
        "mfa:manage_webauthn",
        "mfa:reauthenticate",
        "mfa:reauthenticate_webauthn",
        "socialaccount:manage_providers",
        "socialaccount:provider_signup",
        "socialaccount:provider_token",
        "socialaccount:redirect_to_provider",
        "tokens:refresh",
    }
)

# Where project.urls includes allauth.
ROUTES: Final = ("accounts/", "_allauth/")

# These store a row in the table of sessions, for the challenge that a passkey signs.
PASSKEY_LOGIN: Final = frozenset({"mfa_login_webauthn", "headless:app:mfa:login_webauthn"})


def is_known(name: str) -> bool:
    """Whether the site serves this view of allauth, by the name of its URL."""
    return name in PAGES or name.removeprefix("headless:app:") in APPS
