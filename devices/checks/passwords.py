"""Hashers of passwords that fail where the first password is hashed: PASSWORD_HASHERS."""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher, ScryptPasswordHasher
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from devices.core.hashing import BCRYPT_BYTES

# OpenSSL's, where a hasher names none (`maxmem`).
SCRYPT_MEMORY: Final = 32 * 1024 * 1024


def check() -> Iterator[CheckMessage]:
    """Check that each hasher can hash, and that the first one takes long passwords."""
    for number, path in enumerate(settings.PASSWORD_HASHERS):
        if problem := _problem(path, is_preferred=number == 0):
            yield Error(
                f"PASSWORD_HASHERS: {path} cannot hash a password: {problem}.",
                hint="Install its package, or correct it. Remove it if no password is hashed by it any more.",
                id="devices.E102",
            )
        elif number == 0 and _is_cut_off(import_string(path)):
            yield checks.Warning(
                f"PASSWORD_HASHERS: {path} takes {BCRYPT_BYTES} bytes of a password. bcrypt 5 raises a "
                "ValueError for longer ones, and releases before it ignore the rest.",
                hint="Put Django's BCryptSHA256PasswordHasher or Argon2PasswordHasher first.",
                id="devices.W103",
            )


def _problem(path: str, *, is_preferred: bool) -> str:
    try:
        hasher: Any = import_string(path)()
        # The others are for passwords that were hashed by them. Django's own list has some whose packages are
        # mostly not installed.
        if hasher.library and is_preferred:
            hasher._load_library()
    except (ImportError, ValueError) as error:
        return str(error)
    if isinstance(hasher, ScryptPasswordHasher):
        # What OpenSSL counts: the blocks, the table, and two more to work with.
        needed = 128 * hasher.block_size * (hasher.parallelism + hasher.work_factor + 2)
        allowed = hasher.maxmem or SCRYPT_MEMORY
        if needed > allowed:
            return f"it needs maxmem = {needed}, and has {allowed}"
    return ""


def _is_cut_off(cls: type) -> bool:
    return issubclass(cls, BCryptSHA256PasswordHasher) and cls.digest is None
