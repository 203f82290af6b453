"""The reasons of `core.risk` and the facts of a login, in words for people."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def sentences(reasons: list[Mapping[str, Any]]) -> list[str]:
    """What a person can make something of; rules of the host project say it in `text`, or stay unsaid."""
    return [text for reason in reasons if (text := _sentence(reason))]


def _sentence(reason: Mapping[str, Any]) -> str:
    match reason.get("code"):
        case "new_device" if reason.get("alike"):
            return _("It looks like a device of yours, but did not prove to be it.")
        case "new_device":
            return _("You were not seen on such a device before.")
        case "new_country":
            return _("You were not seen in this country before: %(country)s.") % reason
        case "impossible_travel":
            return (
                _("Nobody travels so far so fast: %(kilometres)s km in %(hours)s hours.") % reason
            )
        case "dormant":
            return (
                ngettext(
                    "Nobody had signed in for %(days)s day.",
                    "Nobody had signed in for %(days)s days.",
                    int(reason["days"]),
                )
                % reason
            )
        case "failures":
            return _("The password was wrong %(failures)s times before.") % reason
        case "disowned_device":
            return _("You said of this device before that it is not yours.")
        case "refresh_device_class":
            return _("It began on %(began)s, and is now used on %(now)s.") % reason
        case "refresh_country":
            return _("It began in %(began)s, and is now used in %(now)s.") % reason
    return str(reason.get("text", ""))
