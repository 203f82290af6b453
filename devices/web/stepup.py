"""Proving again who one is, in a browser: what asks for it, and the page that takes the proof."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic.edit import FormView

from devices.conf import conf
from devices.core import stepup
from devices.core.proof import second_factor
from devices.exceptions import OtpInvalid, OtpRequired, SessionDoubted, SessionError
from devices.http import client_of, same_site_referrer
from devices.models import DeviceSession

View = Callable[..., Any]
# The longest code a factor may have; a passphrase is a password.
CODE_LENGTH: Final = 64


def recently_confirmed(view: View | None = None, *, max_age: int | None = None) -> Any:
    """Let a browser through only if its user proved who they are at most so many seconds ago.

    Of those who have a second factor, with it. Without a number the limit is STEP_UP_MAX_AGE. Others are
    sent to confirm, and from there to the page they wanted; who wanted to send a form, to the page it is on.

        @recently_confirmed
        def transfer(request): ...

        @method_decorator(recently_confirmed(max_age=300), name="dispatch")
        class Transfer(FormView): ...
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def confirmed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            limit = None if max_age is None else timedelta(seconds=max_age)
            session = session_of(request)
            if session is None:
                return to_sign_in(request)
            if stepup.missing_proof(session, limit):
                return to_confirm(request)
            return view(request, *args, **kwargs)

        return confirmed

    return decorate if view is None else decorate(view)


def session_of(request: HttpRequest) -> DeviceSession | None:
    """The session of a browser that is signed in."""
    session: DeviceSession | None = getattr(request, "device_session", None)
    return session if request.user.is_authenticated else None


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the login: to somebody who is in without a session that could be confirmed, too."""
    logout(request)
    return redirect_to_login(_where_to_return(request))


def to_confirm(request: HttpRequest) -> HttpResponse:
    query = urlencode({REDIRECT_FIELD_NAME: _where_to_return(request)})
    return HttpResponseRedirect(f"{reverse('devices:confirm')}?{query}")


def _where_to_return(request: HttpRequest) -> str:
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    # What was in the form is gone, and is sent again by the person, who sees it.
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
        # Whoever holds a doubted session knows the password already.
        self.needs_approval = session.doubted_at is not None and not self.needs_code
        if session.is_impersonated:
            # It is for the owner to confirm who they are.
            self.fields.clear()
            return
        if self.needs_code or self.needs_approval or not user.has_usable_password():
            del self.fields["password"]
        if not self.needs_code:
            del self.fields["otp"]

    def clean_password(self) -> str:
        """Raises TooManyAttempts, which is a ValidationError."""
        password: str = self.cleaned_data["password"]
        try:
            is_right = stepup.confirm_by_password(self.session, password, client_of(self.request))
        except (OtpRequired, SessionDoubted) as error:
            raise forms.ValidationError(error.message, error.code) from error
        if not is_right:
            raise forms.ValidationError(_("This is not your password."), "password_wrong")
        return password

    def clean_otp(self) -> str:
        code: str = self.cleaned_data["otp"]
        try:
            stepup.confirm_by_code(self.session, code, client_of(self.request))
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
        where = conf.REAUTHENTICATION_URL
        # Whoever has a password and nothing else has no other way.
        has_other = context["form"].needs_code or not self.session.user.has_usable_password()
        if where and has_other and not self.session.is_impersonated:
            query = urlencode({REDIRECT_FIELD_NAME: self.get_success_url()})
            context["other_way"] = f"{resolve_url(where)}?{query}"
        return context

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if not form.fields:
            # No password and no factor: nothing was proved.
            return self.form_invalid(form)
        return super().form_valid(form)
