"""The public functions by which staff sign in on a user's behalf. See docs/impersonation.md."""

from .web.impersonation import impersonate, stop_impersonating

__all__ = ["impersonate", "stop_impersonating"]
