"""What a view may ask of the caller's session, for host projects too."""

from datetime import timedelta
from typing import Any, Self

from rest_framework.permissions import BasePermission

from devices.conf import conf
from devices.core import step_up
from devices.http import get_session

from .errors import StepUpRequired


class RecentlyConfirmed(BasePermission):
    """The caller proved who they are at most STEP_UP_MAX_AGE ago, or within the time of `within`; with
    the second factor, if they have one.

    If not, the answer is the 401 of RFC 9470 and no 403: the client can confirm and come again. Put it behind
    IsAuthenticated.
    """

    @property
    def max_age(self) -> timedelta | None:
        """How old the proof may be; None: any age. Override it in a subclass."""
        return conf.STEP_UP_MAX_AGE

    @classmethod
    def within(cls, seconds: int) -> type[Self]:
        """The same with a limit of its own: `permission_classes = [RecentlyConfirmed.within(300)]`."""
        return type(cls.__name__, (cls,), {"max_age": timedelta(seconds=seconds)})

    def has_permission(self, request: Any, view: Any) -> bool:
        max_age = self.max_age
        session = get_session(request)
        # Where step-up is off, only a doubted session is asked; who has no session cannot be one.
        is_refused = (
            max_age is not None if session is None else step_up.missing_proof(session, max_age)
        )
        if is_refused:
            raise StepUpRequired(max_age)
        return True
