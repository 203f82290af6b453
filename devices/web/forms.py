"""The name people give a device."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from devices.core.log.sanitize import has_controls
from devices.models import DeviceSession


class NameForm(forms.Form):
    """By the rules of the API: at most 64 characters that act on nothing around them. Empty takes it away."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )

    def __init__(self, session: DeviceSession, data: Any = None) -> None:
        # Many stand on one page.
        super().__init__(data, initial={"name": session.name}, auto_id=f"{session.pk}-%s")
        self.session = session
        self.fields["name"].widget.attrs["placeholder"] = session.device

    def clean_name(self) -> str:
        """Refuse control characters."""
        name: str = self.cleaned_data["name"]
        if has_controls(name):
            raise ValidationError(
                _("Control characters are not allowed."), code="control_characters"
            )
        return name
