"""Fills a fresh database with people and their sessions, to look around in."""

import io
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from unittest import mock

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.test.utils import override_settings
from django.utils import timezone

from accounts.models import User
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.notifications import outbox
from devices.core.tokens import Claims
from devices.exceptions import RefreshReused
from devices.models import DeviceSession, RevokeReason

PASSWORD = "demo-demo-demo"

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/129.0.0.0 Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.6 Mobile/15E148 Safari/604.1"
)
AGENTS = [
    CHROME,
    IPHONE,
    IPAD,
    f"{CHROME} Edg/129.0.0.0",
    f"{CHROME} OPR/114.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.6 Safari/605.1.15",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/129.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/129.0.6668.70 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {WEBKIT} SamsungBrowser/26.0 Chrome/122.0.0.0 "
    "Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/128.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/108.0.5359.211 Safari/537.36",
    "curl/8.9.1",
    "okhttp/4.12.0",
    "python-requests/2.32.3",
]

# Where people are at home: the first half of an address of a large provider there.
PEOPLE = {
    "admin@example.org": "84.161",
    "support@example.org": "177.32",
    "alice@example.org": "84.160",
    "bob@example.org": "81.152",
    "carol@example.org": "73.15",
    "daisuke@example.org": "126.72",
    "eve@example.org": "90.12",
}
ROLES = {
    "admin@example.org": "superuser",
    "support@example.org": "staff: sees everybody's sessions and may end them",
}
# Whose password somebody else has, who is far away and on a device of their own.
ROBBED = ("alice@example.org", "bob@example.org")
STRANGER = Client(
    "41.58.10.20",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/127.0.0.0 Safari/537.36",
)
NAMES = ["Work laptop", "My phone", "Kitchen", "Old one", "Travel"]
ENDINGS = ["", "", "", "", "", "logout", "logout", "user", "admin", "stolen"]
SESSIONS_EACH = range(5, 12)


class Command(BaseCommand):
    help = "Fill an empty database with users and sessions. Not for production."

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The demo creates a superuser with a known password, so it needs DEBUG."
            )
        if User.objects.exists():
            raise CommandError("This database has users. The demo needs an empty one.")
        logging.disable(logging.WARNING)
        # No thread sends what is withdrawn in the end. It also has the app read its settings again.
        quiet = override_settings(DEVICES={**settings.DEVICES, "NOTICE_QUEUE": "worker"})
        try:
            with quiet:
                self._fill(random.Random(1))
        finally:
            logging.disable(logging.NOTSET)
        self._tell()

    def _fill(self, chance: random.Random) -> None:
        call_command("session_groups", stdout=io.StringIO())
        for email, home in PEOPLE.items():
            user = _person(email)
            address = f"{home}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
            for _ in range(chance.choice(SESSIONS_EACH)):
                _live(user, Client(address, chance.choice(AGENTS)), chance)
            if email in ROBBED:
                with _days_ago(0.1):
                    sessions.start(user, STRANGER)
        # Nobody has to be told of a past that never was, least of all people who are none.
        outbox.withdraw()

    def _tell(self) -> None:
        active = DeviceSession.objects.active().count()
        self.stdout.write(
            f"{len(PEOPLE)} people with {DeviceSession.objects.count()} sessions, {active} active. "
            f"The password of each is {PASSWORD}"
        )
        for email in PEOPLE:
            self.stdout.write(f"  {email:21}{ROLES.get(email, '')}".rstrip())


def _person(email: str) -> User:
    joined = timezone.now() - timedelta(days=90)
    if email == "admin@example.org":
        return User.objects.create_superuser(email, PASSWORD, date_joined=joined)
    user = User.objects.create_user(email, PASSWORD, is_staff=email in ROLES, date_joined=joined)
    if user.is_staff:
        user.groups.add(Group.objects.get(name="Session managers"))
    return user


def _live(user: User, client: Client, chance: random.Random) -> None:
    """One session from its login until it was last used, and how it ended, by the verbs of real ones."""
    days = chance.uniform(0.1, 60)
    last = min(days, 40) * chance.random() ** 3
    with _days_ago(days):
        session = sessions.start(user, client)
        if chance.random() < 0.3:
            sessions.rename(session, chance.choice(NAMES))
    while days > last:
        days = max(days - chance.uniform(2, 9), last)
        with _days_ago(days):
            session = sessions.rotate(_claims(session), client)
            sessions.authenticate_claims(_claims(session), client)
    with _days_ago(last * chance.random()):
        _end(session, client, chance.choice(ENDINGS))


def _end(session: DeviceSession, client: Client, how: str) -> None:
    if session.expires_at < timezone.now():
        return
    if how == "logout":
        sessions.logout(session)
    elif how == "user":
        sessions.revoke(session, reason=RevokeReason.USER, by=session.user)
    elif how == "admin":
        by = User.objects.get(email="admin@example.org")
        sessions.revoke(session, reason=RevokeReason.ADMIN, by=by, note="Reported as stolen.")
    elif how == "stolen":
        with suppress(RefreshReused):
            sessions.rotate(_claims(session, generation=0), client)


def _claims(session: DeviceSession, generation: int | None = None) -> Claims:
    held = session.generation if generation is None else generation
    return Claims(str(session.user_id), session.pk, held)


@contextmanager
def _days_ago(days: float) -> Iterator[None]:
    """The clock of whatever happens inside, so that the past is made by the code of the present."""
    then = timezone.now() - timedelta(days=days)
    with mock.patch.object(timezone, "now", return_value=then):
        yield
