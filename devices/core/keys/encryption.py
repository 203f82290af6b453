"""How private keys are encrypted in the database: under SECRET_KEY, or under keys of their own.

Fernet authenticates what it encrypts, so who can only write to the database cannot bring in a key.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from devices.conf import conf
from devices.exceptions import KeysUnavailable


def encrypt(text: str) -> str:
    """Encrypt a private key for the database."""
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises KeysUnavailable if it was encrypted under a key that is gone, or changed since."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise KeysUnavailable(
            "A signing key cannot be decrypted: see SECRET_KEY_FALLBACKS and KEY_ENCRYPTION_KEYS."
        ) from error


def _fernet() -> MultiFernet:
    given = conf.KEY_ENCRYPTION_KEYS or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derive(secret)) for secret in given])


def _derive(secret: str | bytes) -> bytes:
    raw = secret if isinstance(secret, bytes) else secret.encode()
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"devices.signing_keys").derive(raw)
    return urlsafe_b64encode(key)
