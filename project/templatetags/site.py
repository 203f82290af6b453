"""Who the site is. A tag, since pages about errors are made without the request and its context."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def site_name() -> str:
    """Return SITE_NAME."""
    return str(settings.SITE_NAME)
