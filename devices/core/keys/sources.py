"""Where signing keys come from: the settings, files, the database, or a class of the host project."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from django.utils.module_loading import import_string

from devices.exceptions import KeysUnavailable
from devices.models import KeyState, SigningKey

from . import encryption
from .key import SECRET_BYTES, Key, from_pem, from_text


class KeySource(Protocol):
    """What SIGNING_KEYS may name by its import path. It is made once in a process, without arguments."""

    def load(self) -> Sequence[Key]:
        """All keys there are now. Asked up to twice a second in each process, in any thread."""


def load(setting: Any, rows: Sequence[SigningKey]) -> Sequence[Key]:
    """The keys of the source that SIGNING_KEYS names. Raises KeysUnavailable if one cannot be read."""
    if setting == "database":
        return [_from_row(row) for row in rows if row.material]
    if isinstance(setting, str):
        return _source(setting).load()
    return [_from_settings(given) for given in setting]


def demand_order(keys: Sequence[Key]) -> None:
    """Raises KeysUnavailable if two keys have one name, or more than one is to sign, or one cannot."""
    names = [key.kid for key in keys]
    if len(set(names)) < len(names):
        raise KeysUnavailable("Two signing keys have one name.")
    signing = [key for key in keys if key.state == KeyState.SIGNING]
    if len(signing) > 1:
        raise KeysUnavailable("More than one key is to sign.")
    if signing and signing[0].signing is None:
        raise KeysUnavailable(f"The key {signing[0].kid} is to sign, and is a public one.")


@cache
def _source(path: str) -> KeySource:
    source: KeySource = import_string(path)()
    return source


def _from_row(row: SigningKey) -> Key:
    key = from_text(encryption.decrypt(row.material), KeyState(row.state), row.accepted_until)
    if key.kid != row.kid:
        raise KeysUnavailable(f"The signing key {row.kid} stands under a name that is not its own.")
    return key


def _from_settings(given: Mapping[str, Any]) -> Key:
    """A key as SIGNING_KEYS lists it: `key` (PEM, a secret, or a Path to either), `state`, `kid`."""
    material, kid = given["key"], given.get("kid")
    try:
        if isinstance(material, Path):
            # Read each time: a file that is replaced counts at once.
            material = material.read_bytes()
    except OSError as error:
        raise KeysUnavailable(f"The file of a signing key cannot be read: {material}.") from error
    raw = material.encode() if isinstance(material, str) else bytes(material)
    state = KeyState(given.get("state", KeyState.SIGNING))
    if given.get("algorithm") != "HS256":
        key = from_pem(raw, state, kid)
        if given.get("algorithm") not in (None, key.algorithm):
            raise KeysUnavailable(f"The key {key.kid} is not one for {given['algorithm']}.")
        return key
    raw = raw.strip()
    if not kid:
        raise KeysUnavailable("A secret for HS256 needs a kid.")
    if len(raw) < SECRET_BYTES or raw.startswith(b"-----BEGIN"):
        raise KeysUnavailable(f"The key {kid} is no secret of {SECRET_BYTES} bytes or more.")
    return Key(kid, "HS256", state, raw, raw)
