"""Proving again who one is, in a browser: what asks for it, and the page that takes the proof."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic.edit import FormView

from devices.conf import conf
from devices.core import hashing, second_factor, step_up
from devices.exceptions import (
    Impersonated,
    OtpInvalid,
    OtpRequired,
    SessionDoubted,
    SessionError,
)
from devices.http import get_client, same_site_referrer
from devices.models import DeviceSession

View = Callable[..., Any]
# The longest code a factor may have; a passphrase is a password.
CODE_LENGTH: Final = 64


def confirmed_page(view: View) -> View:
    """Let a browser through only if its user proved who they are recently; of those who have a second
    factor, with it.

    Others are sent to confirm, and from there to the page they wanted; who wanted to send a form, to the page
    it is on. Views of host projects, which tokens open too, use `devices.decorators.recently_confirmed`.
    """

    @wraps(view)
    def confirmed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        session = session_of(request)
        if session is None:
            return to_sign_in(request)
        if step_up.missing_proof(session):
            return to_confirm(request)
        return view(request, *args, **kwargs)

    return confirmed


def session_of(request: HttpRequest) -> DeviceSession | None:
    """The session of a browser that is signed in. Raises PermissionDenied if it is not the user's own."""
    if not request.user.is_authenticated:
        return None
    session: DeviceSession | None = getattr(request, "device_session", None)
    if session is not None and session.user_id != request.user.pk:
        # Middleware such as django-impersonate's shows somebody else as the user, who proved nothing.
        raise PermissionDenied(str(Impersonated.message))
    return session


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the login: to somebody who is in without a session that could be confirmed, too."""
    session_of(request)  # An impersonation is refused, but not signed out.
    logout(request)
    return redirect_to_login(_where_to_return(request))


def to_confirm(request: HttpRequest, back: str = "") -> HttpResponse:
    """Redirect to the page that asks for a proof; from there to `back`, or to where the request came from."""
    query = urlencode({REDIRECT_FIELD_NAME: back or _where_to_return(request)})
    return HttpResponseRedirect(f"{reverse('devices:confirm')}?{query}")


def _where_to_return(request: HttpRequest) -> str:
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    # The form's data is lost: the user fills it in and sends it again.
    return same_site_referrer(request) or reverse("devices:list")


class ConfirmForm(forms.Form):
    """A password; or, for those who have a second factor, a code of it."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput({"autocomplete": "current-password", "autofocus": True}),
    )
    otp = forms.CharField(
        label=_("Code"),
        max_length=CODE_LENGTH,
        help_text=_("From your authenticator app, or one of your recovery codes."),
        widget=forms.TextInput({"autocomplete": "one-time-code", "autofocus": True}),
    )

    def __init__(self, *args: Any, request: HttpRequest, session: DeviceSession, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.request, self.session = request, session
        user: AbstractBaseUser = session.user
        self.needs_code = second_factor.required_of(user)
        # An attacker in a doubted session knows the password already.
        self.needs_approval = session.reauth_required_since is not None and not self.needs_code
        if session.is_impersonated:
            # It is for the owner to confirm who they are.
            self.fields.clear()
            return
        if self.needs_code or self.needs_approval or not hashing.has_password(user):
            del self.fields["password"]
        if not self.needs_code:
            del self.fields["otp"]

    def clean_password(self) -> str:
        """Raises TooManyAttempts, which is a ValidationError."""
        password: str = self.cleaned_data["password"]
        try:
            is_right = step_up.confirm_by_password(self.session, password, get_client(self.request))
        except (OtpRequired, SessionDoubted) as error:
            raise forms.ValidationError(error.message, error.code) from error
        if not is_right:
            raise forms.ValidationError(_("This is not your password."), "password_wrong")
        return password

    def clean_otp(self) -> str:
        """Check and consume the code."""
        code: str = self.cleaned_data["otp"]
        try:
            step_up.confirm_by_code(self.session, code, get_client(self.request))
        except OtpInvalid as error:
            raise forms.ValidationError(error.message, error.code) from error
        return code


@method_decorator(sensitive_post_parameters("password", "otp"), name="dispatch")
@method_decorator(never_cache, name="dispatch")
class ConfirmView(RedirectURLMixin, FormView):
    """`/devices/confirm/?next=`: takes the proof and sends on, to an address of this site only."""

    form_class = ConfirmForm
    template_name = "devices/confirm.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        session = session_of(request)
        if session is None:
            return to_sign_in(request)
        self.session = session
        try:
            return super().dispatch(request, *args, **kwargs)
        except SessionError:
            # It ended between the middleware and here.
            return to_sign_in(request)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self.get_context_data()
        form = context["form"]
        if not form.fields and "other_way" in context and not form.needs_approval:
            return HttpResponseRedirect(context["other_way"])
        return self.render_to_response(context)

    def get_default_redirect_url(self) -> str:
        return reverse("devices:list")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request, "session": self.session}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(next=self.get_redirect_url(), **kwargs)
        form = context["form"]
        if other_way := self._other_way(form):
            context["other_way"] = other_way
        return context | {"can_sign_in": self._can_sign_in(form)}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if form.fields:
            return super().form_valid(form)
        if self._can_sign_in(form):
            logout(self.request)
            return redirect_to_login(self.get_success_url())
        # No password and no factor: nothing was proved.
        return self.form_invalid(form)

    def _other_way(self, form: Any) -> str:
        """Where REAUTHENTICATION_URL leads, if the user proves something there; empty if not."""
        where = conf.REAUTHENTICATION_URL
        # A user with a password only has no other way.
        has_other = form.needs_code or not hashing.has_password(self.session.user)
        if not where or not has_other or self.session.is_impersonated:
            return ""
        query = urlencode({REDIRECT_FIELD_NAME: self.get_success_url()})
        return f"{resolve_url(where)}?{query}"

    def _can_sign_in(self, form: Any) -> bool:
        """Whether only a new login proves something: a provider or a directory knows the password."""
        may_not = self.session.is_impersonated or form.needs_approval
        return not (form.fields or may_not or self._other_way(form))
