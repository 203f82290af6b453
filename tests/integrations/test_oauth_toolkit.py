"""docs/integrations/oauth-toolkit.md, played with django-oauth-toolkit."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .shop import blocks, play

pytest.importorskip("oauth2_provider", reason="needs django-oauth-toolkit: make test-integrations")

MORE = """
OAUTH2_PROVIDER |= {
    "SCOPES": {"openid": "", "read": "", "introspection": ""},
    "DEFAULT_SCOPES": ["read"],
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": open("key.pem").read(),
}
"""


def make_key() -> bytes:
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(kind, form, serialization.NoEncryption())


# What version 4 of django-oauth-toolkit announces to do by default: it keeps no tokens, only their digests.
DIGESTS = """
OAUTH2_PROVIDER |= {
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
}
"""


@pytest.mark.parametrize("more", ["", DIGESTS], ids=["tokens", "digests"])
def test_oauth_toolkit(tmp_path, more):
    (tmp_path / "key.pem").write_bytes(make_key())
    page = blocks("integrations/oauth-toolkit")
    assert play("oauth_toolkit_story", tmp_path, *page, ("shop/settings.py", MORE + more)) == {}
