"""The fields of our JSON: text that was sent as text, times in UTC whatever the host's time zone."""

from datetime import UTC
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import ISO_8601, serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from devices.core.log.shown_text import has_controls


def no_controls(text: str) -> None:
    """Validates what is shown to people, in lists, mails and logs."""
    if has_controls(text):
        raise serializers.ValidationError(
            _("Control characters are not allowed."), code="control_characters"
        )


class TextField(serializers.CharField):
    """DRF's own takes numbers for text, so that 1 and "1" would be one password."""

    def run_validation(self, data: Any = empty) -> Any:
        if not (data is empty or data is None or isinstance(data, str)):
            self.fail("invalid")
        return super().run_validation(data)


class FlagField(serializers.BooleanField):
    """DRF's own takes 1, "yes" and "on" for true, so that one wish has many spellings.

    A form has only text: there, "true" and "false" are the flags. One that is left out of it has its
    default, as in JSON; DRF's own takes it for an unchecked box.
    """

    default_empty_html = empty

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        if html.is_html_input(dictionary):
            return {"true": True, "false": False}.get(value, value)
        return value

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class TimeField(serializers.DateTimeField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format=ISO_8601, default_timezone=UTC, **kwargs)
