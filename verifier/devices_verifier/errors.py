"""Why a token is not let in."""


class VerifierError(Exception):
    """Base of the errors that `Verifier.verify` raises; `code` is stable, `status` that of an HTTP answer."""

    code: str = "error"
    status: int = 401


class TokenRefused(VerifierError):
    """The token is forged, expired, of another kind or for somebody else, or its session has ended.

    `code` is "token_not_valid" or "session_revoked".
    """

    def __init__(self, code: str = "token_not_valid") -> None:
        super().__init__(code)
        self.code = code


class NotReady(VerifierError):
    """The list of ended sessions is not up to date, so everybody is refused."""

    code = "unavailable"
    status = 503


class FeedRefused(Exception):
    """A message, or a set of keys, is not what the site would have sent."""
