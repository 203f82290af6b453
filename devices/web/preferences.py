"""Which mails somebody wants to get about their sign-ins."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic.edit import FormView

from devices.core import stepup
from devices.core.watch import notices

from .stepup import session_of, to_confirm
from .views import PersonalPage, SignedInHttpRequest


class NotificationsForm(forms.Form):
    new_device = forms.BooleanField(
        label=gettext_lazy("When I sign in on a device that was not seen before"), required=False
    )
    suspicious_login = forms.BooleanField(
        label=gettext_lazy("When a sign-in is somewhat unusual"), required=False
    )


class NotificationsView(PersonalPage, FormView):
    request: SignedInHttpRequest
    form_class = NotificationsForm
    template_name = "devices/notifications.html"
    success_url = reverse_lazy("devices:notifications")

    def get_initial(self) -> dict[str, Any]:
        return notices.preferences_of(self.request.user)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        session = session_of(self.request)
        if notices.switched_off(self.request.user, **form.cleaned_data) and (
            session is None or stepup.missing_proof(session)
        ):
            return to_confirm(self.request)
        notices.prefer(self.request.user, **form.cleaned_data)
        messages.success(self.request, _("Saved."))
        return super().form_valid(form)
