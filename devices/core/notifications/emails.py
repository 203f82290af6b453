"""The mails themselves: what they say, in words and in HTML. The only place that sends mail."""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, mail_admins
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from devices.conf import conf
from devices.core.notifications import codes, reasons, review_links
from devices.models import Notification, NotificationKind

logger = logging.getLogger(__name__)

# Mails with a link by which a former address takes the account back, where it may.
RECOVERABLE: Final = (
    NotificationKind.ADDRESS_CHANGED,
    NotificationKind.METHOD_ADDED,
    NotificationKind.ACCOUNT_RECOVERED,
)
# To operators, in English as the commands are.
FAILOVER: Final = """\
Sessions are on another database since {until:%Y-%m-%d %H:%M:%S %Z}: after a failover, a restore or a move.
What was committed after {since:%Y-%m-%d %H:%M:%S %Z} may be missing: sessions that were ended then
may live again.

If you moved the database or upgraded it with pg_upgrade, and the site was stopped until the new server had
everything, nothing is missing, and there is nothing to do. Otherwise run a command.

The first of these ends those that the security log says were ended; the second all that it could be:

    {commands}
"""

# Urgent e-mails; they look different from those that only inform.
ALARMS: Final = (
    NotificationKind.SUSPICIOUS_LOGIN,
    NotificationKind.REFRESH_REUSED,
    NotificationKind.BINDING_FAILED,
    NotificationKind.ADDRESS_CHANGED,
)


class Words(NamedTuple):
    """What differs between the mails."""

    subject: str
    lead: str
    # What the button says, and where it leads.
    action: str = ""
    url: str = ""
    closing: str = ""


def send(notice: Notification, address: str, zone: str = "", *, is_last: bool = False) -> None:
    """Send the mail of a notice to one address, with times in a zone. Raises what the mail backend raises.

    `is_last`: whether it has to say that no more of its kind follow for a while.
    """
    with translation.override(notice.language or settings.LANGUAGE_CODE):
        subject, text, html = compose(notice, address, zone, is_last=is_last)
    headers = _headers(notice, address)
    mail = EmailMultiAlternatives(subject, text, to=[address], headers=headers)
    mail.attach_alternative(html, "text/html")
    mail.send()


def tell_admins_of_failover(since: datetime, until: datetime, commands: Sequence[str]) -> None:
    """Send ADMINS what a failover may have lost, and the commands that repair it. Failures are logged."""
    subject = "The database is another one: ended sessions may live again"
    text = FAILOVER.format(since=since, until=until, commands="\n\n    ".join(commands))
    try:
        mail_admins(subject, text)
    except Exception:  # of any mail backend; the security log and the dashboard say so, too
        logger.exception("The mail about a failover could not be sent")


def compose(
    notice: Notification, address: str = "", zone: str = "", *, is_last: bool = False
) -> tuple[str, str, str]:
    """Subject, text and HTML of a notice to one address, in the language that is active.

    `zone` is the time zone of the reader, by its name (IANA); the site's if it is empty or not known here.
    """
    words = _words(notice, address)
    context = {
        "site": site_name(),
        "site_url": conf.SITE_URL,
        "words": words,
        "is_alarm": notice.kind in ALARMS,
        "is_last": is_last,
        "facts": _facts(notice.data, zone),
        "reasons": [defang(each) for each in reasons.sentences(notice.data.get("reasons", []))],
        "devices_url": review_links.page("devices:list"),
        "password_url": review_links.password_page(),
    }
    text = render_to_string("devices/mail/notice.txt", context)
    html = render_to_string("devices/mail/notice.html", context)
    # One line, whatever a client calls itself.
    return " ".join(words.subject.split()), text.strip() + "\n", html


def site_name() -> str:
    """Return the name of the site in e-mails: SITE_NAME, or the host of SITE_URL."""
    return conf.SITE_NAME or urlsplit(conf.SITE_URL).hostname or _("our site")


def _words(notice: Notification, address: str) -> Words:
    data = {"site": site_name(), "device": defang(str(notice.data.get("device", "")))}
    review_url = review_links.url_of(notice.session_id) if notice.session_id else ""
    recovery_url = _recovery_url(notice, address)
    look = (_("Look at your devices"), review_links.page("devices:list"))
    match notice.kind:
        case NotificationKind.NEW_DEVICE:
            return Words(
                _("New sign-in to %(site)s: %(device)s") % data,
                _("Somebody signed in to your account on a device that we have not seen before.")
                % data,
                _("Was this you?"),
                review_url,
                _("If it was you, there is nothing you have to do."),
            )
        case NotificationKind.SUSPICIOUS_LOGIN:
            return Words(
                _("Was this you? An unusual sign-in to %(site)s") % data,
                _unusual(notice.data),
                _("Yes or no: was this you?"),
                review_url,
                _(
                    "If it was not you, say no there: that signs the device out. Then change your password."
                ),
            )
        case NotificationKind.REFRESH_REUSED:
            return Words(
                _("A session at %(site)s was copied, and signed out") % data,
                _(
                    "Somebody used a copy of the key that keeps you signed in. To be safe, that device was "
                    "signed out. All others stay as they are."
                ),
                *look,
                _("If you see this more than once, look for malware on that device."),
            )
        case NotificationKind.BINDING_FAILED:
            return Words(
                _("A copy of your session at %(site)s was refused") % data,
                _(
                    "Somebody used a copy of the key that keeps you signed in on this device. It was of no "
                    "use to them: this session works on your device alone. You stay signed in there."
                ),
                *look,
                _(
                    "Look for malware on that device. If you want to be sure, sign it out and sign in again."
                ),
            )
        case NotificationKind.BINDING_LOST:
            return Words(
                _("A session at %(site)s is no longer bound to its device") % data,
                _(
                    "You are still signed in on this device, but it no longer proves that it is this "
                    "device. From now on a copy of the session would work elsewhere."
                ),
                *look,
                _("If you did not expect this, sign out there and sign in again."),
            )
        case NotificationKind.DEVICE_CODE:
            code = codes.code_of(uuid.UUID(notice.data["challenge"]))
            return Words(
                _("%(code)s is your code for %(site)s") % {**data, "code": code},
                _(
                    "Somebody signs in to your account on a new device, with the right password. If it is "
                    "you, give this code there within ten minutes: %(code)s"
                )
                % {"code": code},
                _("It is not me: get a new password"),
                review_links.password_page(),
                _("Tell the code to nobody. Nobody of this site asks for it."),
            )
        case NotificationKind.SESSION_APPROVED:
            return Words(
                _("You approved a sign-in to %(site)s: %(device)s") % data,
                _(
                    "Somebody answered that this sign-in was you. From now on the device is known as yours."
                ),
                _("It was not me: sign it out"),
                review_url,
                _("If it was you, there is nothing you have to do."),
            )
        case NotificationKind.ADDRESS_CHANGED:
            return Words(
                _("Your email address at %(site)s was changed") % data,
                _(
                    "Your account has another email address now. For a week we send mails like this one "
                    "to the old and to the new address."
                ),
                *_way_out(recovery_url, review_url, _("If it was not you, tell the site at once.")),
            )
        case NotificationKind.METHOD_ADDED:
            return Words(
                _("A sign-in method was added to %(site)s") % data,
                _added(notice.data.get("method")),
                *_way_out(
                    recovery_url,
                    review_url,
                    _("If it was you, there is nothing you have to do."),
                ),
            )
        case NotificationKind.ACCOUNT_RECOVERED:
            return Words(
                _("Your account at %(site)s was restored") % data,
                _(
                    "The account has its earlier email address again. All devices were signed out and the "
                    "password no longer works. Other addresses, links to other sites and new second factors "
                    "were removed."
                ),
                *_way_out(recovery_url, "", _("If it was not you, tell the site at once.")),
            )
        case NotificationKind.NOTICES_OFF:
            return Words(
                _("Mails of %(site)s about sign-ins were switched off") % data,
                _("From now on you get no mail about some of the sign-ins to your account."),
                _("Look at your settings"),
                review_links.page("devices:notifications"),
                _("If it was not you, switch them on again, and change your password."),
            )
        case NotificationKind.STAFF_CHANGED:
            return Words(
                _("Staff of %(site)s changed how you sign in") % data,
                _(
                    "Staff added, changed or removed an email address, a link to another site, or a second "
                    "factor of your account."
                ),
                *look,
                _("If you did not ask for it, tell the site at once."),
            )
    return Words(
        _("Your password at %(site)s was changed") % data,
        _("The password of your account was changed. All other devices were signed out."),
        _("It was not me: get a new password"),
        review_links.password_page(),
        _("If it was you, there is nothing you have to do."),
    )


def _way_out(recovery_url: str, review_url: str, closing: str) -> tuple[str, str, str]:
    """The label and the link of the button in an e-mail about a changed account, and the text below."""
    if recovery_url:
        return (
            _("It was not me: take the account back"),
            recovery_url,
            _(
                "If it was you, there is nothing you have to do. If not, the link puts your account back to "
                "this address, signs all devices out, and lets you choose a new password. It works for "
                "seven days."
            ),
        )
    return _("It was not me: sign that device out") if review_url else "", review_url, closing


def _recovery_url(notice: Notification, address: str) -> str:
    """The host project's link by which this address takes the account back; "" if there is none."""
    make = conf.ACCOUNT_RECOVERY_URL
    if make is None or notice.kind not in RECOVERABLE:
        return ""
    try:
        return make(notice.user_id, address)
    except Exception as error:  # whatever it may raise; the mail goes out all the same
        logger.error("ACCOUNT_RECOVERY_URL failed: %s", type(error).__name__)
        return ""


def _added(method: Any) -> str:
    match method:
        case "address":
            return _(
                "Your account has another email address. It can be used to get a new password."
            )
        case "identity":
            return _(
                "Your account was connected to another site. You can sign in with it from now on."
            )
        case "factor":
            return _("Your account has a new second factor. Signing in asks for it from now on.")
    return _("Your account has another sign-in method.")


def _unusual(data: dict[str, Any]) -> str:
    if data.get("refused"):
        return _(
            "Somebody tried to sign in to your account with the correct password, and was refused."
        )
    if data.get("at_refresh"):
        return _("Somebody else may be using a device of yours that is signed in.")
    return _("Somebody signed in to your account in a way that is unusual for you.")


def _facts(data: dict[str, Any], zone: str) -> list[tuple[str, str]]:
    at = parse_datetime(data.get("at", ""))
    facts = [
        (_("Device"), defang(data.get("device", ""))),
        (_("Place"), place_of(data)),
        (_("Address"), data.get("address") or ""),
        (_("Time"), _time(at, zone) if at else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _time(at: datetime, zone: str) -> str:
    try:
        named = ZoneInfo(zone or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        named = ZoneInfo("UTC")
    return f"{date_format(at.astimezone(named), 'DATETIME_FORMAT')} ({named.key})"


def place_of(data: dict[str, Any]) -> str:
    """Where an address is thought to be, said with the caution it deserves; "" if that is not known."""
    city, country = defang(data.get("city", "")), data.get("country", "")
    if data.get("is_place_uncertain"):
        return reasons.place(city, country, is_uncertain=True)
    place = reasons.place(city, country)
    return _("%(place)s (by the network address; may be wrong)") % {"place": place} if place else ""


def defang(text: str) -> str:
    """Text of a client so that no mail program makes a link of it."""
    return (
        " ".join(text.split()).replace("://", ": //").replace("www.", "www .").replace("@", " at ")
    )


def _headers(notice: Notification, address: str) -> dict[str, str]:
    domain = urlsplit(conf.SITE_URL).hostname or "localhost"
    # One for each address; a mail that was sent to both is two.
    name = notice.pk if address == notice.address else uuid.uuid5(notice.pk, address)
    # The same at each attempt, so that a duplicate can be recognized.
    return {
        "Message-ID": f"<{name}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
