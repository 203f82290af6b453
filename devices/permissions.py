"""The public permission classes for DRF views."""

from devices.api.permissions import RecentlyConfirmed

__all__ = ["RecentlyConfirmed"]
