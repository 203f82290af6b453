"""The verifier: checks tokens from memory, while a thread of its own keeps that memory up to date."""

import logging
import os
import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote, urlencode

import jwt

from . import feed, keys
from .ended import Ended
from .errors import FeedRefused, NotReady, TokenRefused
from .http import Endpoint

logger = logging.getLogger("devices_verifier")

# RFC 9068 §2.1, and SimpleJWT's own, which tells kinds apart by a claim.
TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt", "jwt"})
MAX_TOKEN: Final = 8192
# Tokens whose signature was found good; a few MB.
MAX_CHECKED: Final = 10_000
# Seconds between two questions at most, where the site cannot keep us waiting, or does not answer.
PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 2.0
# Seconds after which the keys are read again in any case, and at the earliest.
JWKS_AGE: Final = 300.0
KEYS_PAUSE: Final = 0.5

Claims = Mapping[str, Any]


class _Checked(NamedTuple):
    claims: Claims
    kid: str
    expires: float
    # The session, and that of the staff member who impersonates its user.
    sessions: tuple[str, ...]
    # The thumbprint of the key that it is bound to (RFC 9449 §6).
    jkt: str | None


def _clock() -> float:
    """Seconds of a clock that also runs while the machine sleeps, and cannot be set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _HAS_BOOTTIME else time.monotonic()


_HAS_BOOTTIME: Final = hasattr(time, "CLOCK_BOOTTIME")


class Verifier:
    """Verifies access tokens, and refuses those of sessions that have ended.

    `max_staleness` is the bound in seconds: if nothing was heard for longer, `verify` raises NotReady.
    `max_ended` is how many ended sessions are kept; if there are more whose tokens may live, `verify` raises
    NotReady, too. `leeway` is by how many seconds clocks may differ. `ca_file` is for a CA of your own.
    """

    def __init__(
        self,
        feed_url: str,
        *,
        jwks_url: str,
        issuer: str,
        audience: str,
        client_id: str,
        client_secret: str,
        max_staleness: float = 10.0,
        max_ended: int = 1_000_000,
        leeway: float = 5.0,
        algorithms: Sequence[str] = tuple(keys.KINDS),
        ca_file: str | None = None,
    ) -> None:
        if unknown := set(algorithms) - keys.KINDS.keys():
            raise ValueError(f"Unsupported algorithm: {', '.join(sorted(unknown))}.")
        self._urls, self._ca_file = (feed_url, jwks_url), ca_file
        self._endpoints()
        self._issuer, self._audience, self._client_id = issuer, audience, client_id
        basic = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        self._authorization = "Basic " + b64encode(basic.encode()).decode()
        self._max_staleness, self._leeway = max_staleness, leeway
        self._algorithms = frozenset(algorithms)
        self._max_ended = max_ended
        self._reset()

    def _reset(self) -> None:
        self._ended = Ended(self._max_ended)
        self._keys: keys.Keys = {}
        self._keys_read_at = float("-inf")
        self._digest = ""
        self._withdrawn: dict[str, float] = {}
        self._checked: dict[str | bytes, _Checked] = {}
        self._lock = threading.Lock()
        self._cursor: str | None = None
        self._fresh_at = float("-inf")
        self._is_whole = False
        self._stopped = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self.error = ""

    # What is asked of it

    def verify(self, token: str | bytes, *, jkt: str | None = None) -> Claims:
        """The claims of an access token of a session that has not ended. Asks nobody.

        A token that is bound to a key of the device (DPoP) is no bearer token (RFC 9449 §7.2): verify the
        proof that came with it, and pass the thumbprint of the proof's key as `jkt`.

        Raises TokenRefused (401), or NotReady (503) while what has ended is not known well enough.
        """
        if self._pid != os.getpid() and not self._stopped.is_set():
            self.start()
        if _clock() - self._fresh_at > self._max_staleness:
            raise NotReady
        now = time.time()
        if now < self._ended.incomplete_until:
            raise NotReady
        checked = self._checked.get(token)
        if checked is None or checked.kid not in self._keys:
            checked = self._check(token)
        if now >= checked.expires + self._leeway:
            raise TokenRefused
        if checked.jkt != jkt:
            raise TokenRefused
        for session_id in checked.sessions:
            if session_id in self._ended:
                raise TokenRefused("session_revoked")
        return checked.claims

    def watch(self, token: str | bytes, *, jkt: str | None = None) -> Callable[[], None]:
        """Verify the token of a connection that stays open, and return what to call about once a second.

        That raises TokenRefused when the session has ended or the key of the token was withdrawn, and
        NotReady as `verify` does. A token that expires meanwhile ends nothing.

        Raises TokenRefused or NotReady, as `verify` does.
        """
        self.verify(token, jkt=jkt)
        return partial(self._demand_active, self._check(token))

    @property
    def staleness(self) -> float:
        """Seconds since which nothing was heard of the site; infinite before the first time."""
        return _clock() - self._fresh_at

    def status(self) -> dict[str, Any]:
        """What it has to say about itself, for a probe. No secrets."""
        return {
            "ready": self.staleness <= self._max_staleness,
            "staleness": self.staleness if self._is_whole else None,
            "ended": len(self._ended),
            "keys": len(self._keys),
            "error": self.error,
        }

    # Its life

    def start(self, timeout: float = 10.0) -> bool:
        """Begin to follow the feed, and wait until all that has ended is known; whether it is."""
        with _starting:
            if self._pid != os.getpid() or self._stopped.is_set():
                # Threads do not survive a fork.
                self._reset()
                self._pid = os.getpid()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stopped,), name="devices-verifier", daemon=True
                )
                self._thread.start()
        return self._ready.wait(timeout)

    def stop(self) -> None:
        """Stop to follow the feed. From then on it gets stale."""
        self._stopped.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop()

    # How it checks

    def _check(self, token: str | bytes) -> _Checked:
        if len(token) > MAX_TOKEN:
            raise TokenRefused
        try:
            said, kid = keys.decode(
                token,
                self._keys,
                TOKEN_TYPES,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud"], "strict_aud": True},
            )
            expires = float(said["exp"])
            sessions = [said["session_id"]]
            jkt = said["cnf"]["jkt"] if "cnf" in said else None
            if "act" in said:
                sessions.append(said["act"]["sid"])
        except (
            jwt.PyJWTError,
            ValueError,
            LookupError,
            TypeError,
            ArithmeticError,
            RecursionError,
        ):
            raise TokenRefused from None
        if said.get("token_type") != "access" or not all(
            isinstance(each, str) for each in sessions
        ):
            raise TokenRefused
        checked = _Checked(MappingProxyType(said), kid, expires, tuple(sessions), jkt)
        with self._lock:
            if len(self._checked) >= MAX_CHECKED:
                self._checked.pop(next(iter(self._checked)))
            self._checked[token] = checked
        return checked

    def _demand_active(self, checked: _Checked) -> None:
        if self.staleness > self._max_staleness or time.time() < self._ended.incomplete_until:
            raise NotReady
        if checked.kid in self._withdrawn:
            raise TokenRefused
        if any(session_id in self._ended for session_id in checked.sessions):
            raise TokenRefused("session_revoked")

    # How it follows

    def _endpoints(self) -> tuple[Endpoint, Endpoint]:
        feed_url, jwks_url = self._urls
        return Endpoint(feed_url, self._ca_file), Endpoint(jwks_url, self._ca_file)

    def _run(self, stopped: threading.Event) -> None:
        endpoints = self._endpoints()
        pause = PAUSE
        while not stopped.is_set():
            began = _clock()
            try:
                has_more = self._follow(*endpoints)
                self.error, pause = "", PAUSE
            except (
                Exception
            ) as error:  # of the network, of the site; outlived, and seen as staleness
                if not self.error:
                    logger.warning("The feed is not available: %s", error)
                self.error = f"{type(error).__name__}: {error}"
                stopped.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                stopped.wait(0 if has_more else max(0.0, PAUSE - (_clock() - began)))
        for endpoint in endpoints:
            endpoint.close()

    def _follow(self, feed_at: Endpoint, jwks_at: Endpoint) -> bool:
        """Ask once for what has ended; whether there is more. If not, all that had ended before is known."""
        began = _clock()
        if began - self._keys_read_at >= JWKS_AGE:
            self._read_keys(jwks_at)
        # Not long, so that an idle feed does not look like a dead one.
        wait = min(self._max_staleness / 4, 5.0) if self._is_whole else 0
        nonce = secrets.token_urlsafe(24)
        form = {"nonce": nonce, "wait": f"{wait:.3f}"}
        if self._cursor is not None:
            form["since"] = self._cursor
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        timeout = wait + max(self._max_staleness / 4, 1.0)
        status, text = feed_at.ask("POST", urlencode(form).encode(), headers, timeout)
        if status != 200:
            raise FeedRefused(f"The site answered {status}.")
        message = self._read(text, nonce, jwks_at)
        now = time.time()
        self._ended.add(message.ended, now)
        if message.keys:
            self._withdraw(message.keys, now)
        self._cursor = message.cursor
        if not message.has_more:
            # What was committed when the site last looked is in the answer: that was so long after we asked,
            # or later, whatever its clock says.
            self._is_whole = True
            self._fresh_at = began + min(message.waited, _clock() - began)
            self._ready.set()
        if message.jwks != self._digest and _clock() - self._keys_read_at >= KEYS_PAUSE:
            self._read_keys(jwks_at)
        return message.has_more

    def _read(self, text: bytes, nonce: str, jwks_at: Endpoint) -> feed.Message:
        expected: dict[str, Any] = {
            "issuer": self._issuer,
            "client_id": self._client_id,
            "nonce": nonce,
            "since": self._cursor,
        }
        try:
            return feed.read(text, self._keys, **expected)
        except FeedRefused:
            # It may be signed by a key that is new.
            if _clock() - self._keys_read_at < KEYS_PAUSE:
                raise
            self._read_keys(jwks_at)
            return feed.read(text, self._keys, **expected)

    def _read_keys(self, jwks_at: Endpoint) -> None:
        self._keys_read_at = _clock()
        # Whatever keeps it in between is to ask whether it is still the same.
        headers = {"Accept": "application/jwk-set+json", "Cache-Control": "no-cache"}
        status, text = jwks_at.ask("GET", None, headers, self._max_staleness / 2)
        if status != 200:
            raise FeedRefused(f"The site answered {status} for its keys.")
        found = keys.parse(text)
        self._digest = keys.digest(found)
        self._set_keys(found)

    def _withdraw(self, withdrawn: Mapping[str, float], now: float) -> None:
        self._withdrawn = {
            kid: until for kid, until in {**self._withdrawn, **withdrawn}.items() if until > now
        }
        self._set_keys(self._keys)

    def _set_keys(self, found: keys.Keys) -> None:
        """Go by these keys from now on, but for those that were withdrawn: caches may hold an older set."""
        kept = {
            kid: key
            for kid, key in found.items()
            if kid not in self._withdrawn and key.algorithm_name in self._algorithms
        }
        if kept.keys() != self._keys.keys():
            self._keys = kept


_starting = threading.Lock()


def _after_fork() -> None:
    global _starting
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
