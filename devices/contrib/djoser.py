"""djoser: its JWT views use SimpleJWT's settings, and so our serializers; here is what they do not reach.

See docs/integrations/djoser.md.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from devices.shortcuts import start_session


class TokenStrategy:
    """DJOSER["SOCIAL_AUTH_TOKEN_STRATEGY"]: a login with another site starts a session."""

    @classmethod
    def obtain(cls, user: AbstractBaseUser) -> dict[str, Any]:
        """Return the tokens of a new session. Raises the errors of `devices.shortcuts.start_session`."""
        # social-auth notes which site it was.
        method = getattr(getattr(user, "social_user", None), "provider", "social")
        issued = start_session(None, user, method=method)
        return {"access": issued.access, "refresh": issued.refresh, "user": user}
