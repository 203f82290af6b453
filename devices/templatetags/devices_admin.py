"""For the first page of an admin: `{% load devices_admin %}{% devices_overview %}`."""

from typing import Any

from django import template
from django.apps import apps

# Django imports the tags of each app at the start, and a project may have no admin.
if apps.is_installed("django.contrib.admin"):
    from devices.admin import dashboard

register = template.Library()


@register.inclusion_tag("admin/devices/overview.html", takes_context=True)
def devices_overview(context: dict[str, Any]) -> dict[str, Any]:
    """Show a search, and the figures that matter first, to staff who may see sessions; nothing to others."""
    return dashboard.overview(context["request"].user)
