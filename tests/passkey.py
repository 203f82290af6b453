"""A security key made of software: it registers itself for a user, and signs what browsers hand on."""

import hashlib
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

SITE = "testserver"
FLAG = AuthenticatorData.FLAG


class Key:
    """A key with one credential. Recovery codes come along with it, as on the site."""

    def __init__(self, user: Any) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = hashlib.sha256(user.email.encode()).digest()
        public = ES256.from_cryptography_key(self.private.public_key())
        attested = AttestedCredentialData.create(Aaguid.NONE, self.id, public)
        shown = self._data(FLAG.UP | FLAG.UV | FLAG.AT, attested)
        client = CollectedClientData.create("webauthn.create", b"", f"https://{SITE}")
        answer = {
            "clientDataJSON": client.b64,
            "attestationObject": websafe_encode(AttestationObject.create("none", shown, {})),
        }
        kept = {"name": "Key", "credential": self._credential(answer)}
        self.row = Authenticator.objects.create(user=user, type="webauthn", data=kept)
        self.recovery_codes = RecoveryCodes.activate(user).generate_codes()

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """What a browser answers to the options of a request (WebAuthn, section 7.2)."""
        challenge = options["publicKey"]["challenge"]
        client = CollectedClientData.create("webauthn.get", challenge, f"https://{SITE}")
        shown = self._data(FLAG.UP | FLAG.UV)
        signature = self.private.sign(shown + client.hash, ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": client.b64,
                "authenticatorData": websafe_encode(shown),
                "signature": websafe_encode(signature),
            }
        )

    def _data(self, flags: Any, attested: bytes = b"") -> AuthenticatorData:
        rp = hashlib.sha256(SITE.encode()).digest()
        return AuthenticatorData.create(rp, flags, 0, attested)

    def _credential(self, answer: dict[str, str]) -> dict[str, Any]:
        name = websafe_encode(self.id)
        return {"type": "public-key", "id": name, "rawId": name, "response": answer}
