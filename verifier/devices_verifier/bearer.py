"""What the adapters have in common: the token of a request, and the headers of a refusal (RFC 6750)."""

from .errors import TokenRefused, VerifierError


def bearer_token(header: str) -> str:
    """The token of an Authorization header. Raises TokenRefused if there is none, or more than one."""
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token:
        raise TokenRefused
    return token


def headers(error: VerifierError) -> dict[str, str]:
    """RFC 6750 §3 for a refused token; when to try again for a service that is not ready."""
    if error.status == 401:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"', "Cache-Control": "no-store"}
    return {"Retry-After": "1", "Cache-Control": "no-store"}
