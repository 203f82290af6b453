"""The reasons of `core.risk.rules`, in words for people; and countries by their names."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_timedelta
from babel.numbers import format_decimal
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def sentences(reasons: Iterable[Mapping[str, Any] | str]) -> list[str]:
    """What a person can make something of. A rule of the host project says it in its evidence, as `text`."""
    return [text for reason in reasons if (text := _sentence(reason))]


def country(code: str) -> str:
    """A country's name in the active language; the code where it has none."""
    return str(locale().territories.get(code, code))


def place(city: str, code: str, *, is_uncertain: bool = False) -> str:
    """City and country; "" where neither is known. Of a network used from elsewhere, that it is one."""
    if is_uncertain:
        return _("Uncertain (network registered in %s)") % country(code)
    return ", ".join(part for part in (city, country(code)) if part)


def locale() -> Locale:
    """The active language as Babel has it."""
    language = translation.get_language() or "en"
    try:
        return Locale.parse(translation.to_locale(language))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _sentence(reason: Mapping[str, Any] | str) -> str:
    if isinstance(reason, str):
        return reason
    match reason.get("code"):
        case "new_device" if reason.get("alike"):
            return _("It looks like a known device, but did not prove to be it.")
        case "new_device":
            return _("The first sign-in on a device of this kind.")
        case "new_country":
            return _("The first sign-in in this country: %s.") % country(reason["country"])
        case "impossible_travel":
            time = timedelta(hours=float(reason["hours"]))
            text = _("Nobody travels so fast: at least %(kilometres)s km in %(time)s.")
            return text % {
                "kilometres": format_decimal(reason["kilometres"], locale=locale()),
                "time": format_timedelta(time, threshold=1.5, locale=locale()),
            }
        case "dormant":
            days = int(reason["days"])
            return ngettext(
                "Nobody signed in for %s day.", "Nobody signed in for %s days.", days
            ) % str(days)
        case "failures":
            return _("The password was wrong %s times before.") % str(reason["failures"])
        case "disowned_device":
            return _("This device was marked as unknown before.")
        case "refresh_device_class":
            devices = {key: reason[key] for key in ("began", "now")}
            return _("It began on %(began)s, and is now used on %(now)s.") % devices
        case "refresh_country":
            places = {key: country(reason[key]) for key in ("began", "now")}
            return _("It began in %(began)s, and is now used in %(now)s.") % places
    return str(reason.get("text", ""))
