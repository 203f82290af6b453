"""The mails themselves: what they say, in words and in HTML. The only place that sends mail."""

import uuid
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from devices.conf import conf
from devices.models import Notice, NoticeKind

from . import reasons, review


class Words(NamedTuple):
    """What differs between the mails."""

    subject: str
    lead: str
    # What the button says, and where it leads.
    action: str = ""
    url: str = ""
    closing: str = ""


def send(notice: Notice, address: str) -> None:
    """Send the mail of a notice to one address. Raises what the mail backend raises."""
    with translation.override(notice.language or settings.LANGUAGE_CODE):
        subject, text, html = compose(notice)
    headers = _headers(notice, address)
    mail = EmailMultiAlternatives(subject, text, to=[address], headers=headers)
    mail.attach_alternative(html, "text/html")
    mail.send()


def compose(notice: Notice) -> tuple[str, str, str]:
    """Subject, text and HTML of a notice, in the language that is active."""
    words = _words(notice)
    context = {
        "site": site_name(),
        "site_url": conf.SITE_URL,
        "words": words,
        "facts": _facts(notice.data),
        "reasons": [inert(each) for each in reasons.sentences(notice.data.get("reasons", []))],
        "devices_url": review.page("devices:list"),
        "password_url": review.password_page(),
    }
    text = render_to_string("devices/mail/notice.txt", context)
    html = render_to_string("devices/mail/notice.html", context)
    # One line, whatever a client calls itself.
    return " ".join(words.subject.split()), text.strip() + "\n", html


def site_name() -> str:
    return conf.SITE_NAME or urlsplit(conf.SITE_URL).hostname or _("our site")


def _words(notice: Notice) -> Words:
    data = {"site": site_name(), "device": inert(str(notice.data.get("device", "")))}
    review_url = review.url_of(notice.session_id) if notice.session_id else ""
    match notice.kind:
        case NoticeKind.NEW_DEVICE:
            return Words(
                _("New sign-in to %(site)s: %(device)s") % data,
                _("Somebody signed in to your account on a device that we have not seen before.")
                % data,
                _("Was this you?"),
                review_url,
                _("If it was you, there is nothing you have to do."),
            )
        case NoticeKind.SUSPICIOUS_LOGIN:
            return Words(
                _("Was this you? A strange sign-in to %(site)s") % data,
                _strange(notice.data),
                _("Yes or no: was this you?"),
                review_url,
                _(
                    "If it was not you, say no there: that signs the device out. Then change your password."
                ),
            )
        case NoticeKind.REFRESH_REUSED:
            return Words(
                _("A session at %(site)s was copied, and signed out") % data,
                _(
                    "Somebody used a copy of the key that keeps you signed in. To be safe, that device was "
                    "signed out. All others stay as they are."
                ),
                _("Look at your devices"),
                review.page("devices:list"),
                _("If you see this more than once, look for malware on that device."),
            )
        case NoticeKind.SESSION_APPROVED:
            return Words(
                _("You approved a sign-in to %(site)s: %(device)s") % data,
                _(
                    "Somebody answered that this sign-in was you. From now on the device is known as yours."
                ),
                _("It was not me: sign it out"),
                review_url,
                _("If it was you, there is nothing you have to do."),
            )
        case NoticeKind.ADDRESS_CHANGED:
            return Words(
                _("Your email address at %(site)s was changed") % data,
                _(
                    "Your account has another email address now. For a week we send mails like this one "
                    "to the old and to the new address."
                ),
                _("It was not me: sign that device out") if review_url else "",
                review_url,
                _("If it was not you, tell the site at once."),
            )
        case NoticeKind.NOTICES_OFF:
            return Words(
                _("Mails of %(site)s about sign-ins were switched off") % data,
                _("From now on you get no mail about some of the sign-ins to your account."),
                _("Look at your settings"),
                review.page("devices:notifications"),
                _("If it was not you, switch them on again, and change your password."),
            )
        case NoticeKind.STAFF_CHANGED:
            return Words(
                _("Staff of %(site)s changed how you sign in") % data,
                _(
                    "Staff added, changed or removed an email address, a link to another site, or a second "
                    "factor of your account."
                ),
                _("Look at your devices"),
                review.page("devices:list"),
                _("If you did not ask for it, tell the site at once."),
            )
    return Words(
        _("Your password at %(site)s was changed") % data,
        _("The password of your account was changed. All other devices were signed out."),
        _("It was not me: get a new password"),
        review.password_page(),
        _("If it was you, there is nothing you have to do."),
    )


def _strange(data: dict[str, Any]) -> str:
    if data.get("refused"):
        return _("Somebody signed in to your account with the right password, but was not let in.")
    if data.get("at_refresh"):
        return _("Somebody else may be using a device of yours that is signed in.")
    return _("Somebody signed in to your account in a way that is unlike you.")


def _facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    at = parse_datetime(data.get("at", ""))
    facts = [
        (_("Device"), inert(data.get("device", ""))),
        (_("Place"), place_of(data.get("city", ""), data.get("country", ""))),
        (_("Time"), f"{date_format(at, 'DATETIME_FORMAT')} UTC" if at else ""),
    ]
    return [(name, value) for name, value in facts if value]


def place_of(city: str, country: str) -> str:
    """Where an address is thought to be, said with the caution it deserves; "" if that is not known."""
    place = ", ".join(part for part in (inert(city), reasons.country(country)) if part)
    return _("%(place)s (by the network address; may be wrong)") % {"place": place} if place else ""


def inert(text: str) -> str:
    """Text of a client so that no mail program makes a link of it."""
    return (
        " ".join(text.split()).replace("://", ": //").replace("www.", "www .").replace("@", " at ")
    )


def _headers(notice: Notice, address: str) -> dict[str, str]:
    domain = urlsplit(conf.SITE_URL).hostname or "localhost"
    # One for each address; a mail that was sent to both is two.
    name = notice.pk if address == notice.address else uuid.uuid5(notice.pk, address)
    # The same at each attempt: whoever got it twice may know it by this.
    return {
        "Message-ID": f"<{name}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
