"""Our steps of a login with allauth, in addition to its own: see AccountAdapter.get_login_stages."""

from allauth.account.stages import LoginStage
from allauth.core.internal.httpkit import headed_redirect_response
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _

KEY = "password_at_start"


class PasswordAtStart(LoginStage):
    """The first step: note under which password the login begins."""

    key = KEY

    def handle(self) -> tuple[HttpResponse | None, bool]:
        if self.login.user is not None:
            self.state["stamp"] = self.login.user.get_session_auth_hash()
        return None, True


class PasswordUnchanged(LoginStage):
    """The last step: a login that began with another password fails, whatever was verified since."""

    key = "password_unchanged"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        begun = self.controller.get_stage(KEY).state
        user = self.login.user
        if user is None or begun.get("stamp") == user.get_session_auth_hash():
            return None, True
        text = _("Your password was changed meanwhile. Sign in again.")
        messages.error(self.request, text, fail_silently=True)
        return headed_redirect_response("account_login"), False
