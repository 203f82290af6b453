"""The authentication class, as host projects extend it."""

import pytest
from rest_framework_simplejwt.tokens import AccessToken

from devices.api.authentication import DeviceSessionAuthentication
from devices.api.errors import SessionDenied
from devices.core import sessions
from devices.models import DeviceSession, RevokeReason


class OwnReading(DeviceSessionAuthentication):
    """Reads tokens by SimpleJWT's class, which knows nothing of sessions."""

    def get_validated_token(self, raw_token):
        return AccessToken(raw_token)


def test_the_user_of_a_token_that_a_subclass_read_is_the_session_s(alice, sign_in):
    phone = sign_in(alice)
    own = OwnReading()
    assert own.get_user(own.get_validated_token(phone.access)) == alice
    sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.USER)
    with pytest.raises(SessionDenied):
        own.get_user(own.get_validated_token(phone.access))
