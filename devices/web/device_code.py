"""The page that takes the code of a mail, for a login on a new device."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from devices.core import sessions
from devices.exceptions import SessionError, TooManyAttempts
from devices.http import get_browser_client

from . import cookie


def page() -> str:
    """The path of this page; "" where the project does not include it."""
    try:
        return reverse("devices:code")
    except NoReverseMatch:
        return ""


class CodeForm(forms.Form):
    """The code from the e-mail."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@method_decorator([login_not_required, never_cache], name="dispatch")
class DeviceCodeView(FormView):
    """For the browser in which the login began; others are redirected to the login."""

    template_name = "devices/code.html"
    form_class = CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if cookie.WAITING not in request.session:
            return redirect(settings.LOGIN_URL)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: CodeForm) -> HttpResponse:
        waiting = self.request.session[cookie.WAITING]
        client = get_browser_client(self.request)
        code = form.cleaned_data["code"]
        try:
            session = sessions.start_by_code(waiting["challenge"], code, client)
        except TooManyAttempts as error:
            form.add_error("code", error)
        except SessionError as error:
            form.add_error("code", str(error.message))
        else:
            cookie.go_on(self.request, session, waiting["backend"])
            return redirect(waiting["next"] or resolve_url(settings.LOGIN_REDIRECT_URL))
        return self.form_invalid(form)
