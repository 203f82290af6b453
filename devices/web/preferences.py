"""Which mails somebody wants to get about their sign-ins."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic.edit import FormView

from devices.core import step_up
from devices.core.notifications import outbox

from .step_up import session_of, to_confirm
from .views import PersonalPage, SignedInHttpRequest


def zones() -> list[tuple[str, str]]:
    """Return the choices of a time zone, the site's first."""
    site = _("the site (%(zone)s)") % {"zone": settings.TIME_ZONE}
    return [("", site), *((name, name.replace("_", " ")) for name in outbox.time_zones())]


class NotificationsForm(forms.Form):
    """Which e-mails a user wants."""

    new_device = forms.BooleanField(
        label=gettext_lazy("When I sign in on a device that was not seen before"), required=False
    )
    suspicious_login = forms.BooleanField(
        label=gettext_lazy("When a sign-in is somewhat unusual"), required=False
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Times in mails are those of"), required=False, choices=zones
    )


class NotificationsView(PersonalPage, FormView):
    """The page to switch e-mails on and off."""

    request: SignedInHttpRequest
    form_class = NotificationsForm
    template_name = "devices/notifications.html"
    success_url = reverse_lazy("devices:notifications")

    def get_initial(self) -> dict[str, Any]:
        return outbox.preferences_of(self.request.user)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        session = session_of(self.request)
        if outbox.switched_off(self.request.user, **form.cleaned_data) and (
            session is None or step_up.missing_proof(session)
        ):
            return to_confirm(self.request)
        outbox.prefer(self.request.user, **form.cleaned_data)
        messages.success(self.request, _("Saved."))
        return super().form_valid(form)
