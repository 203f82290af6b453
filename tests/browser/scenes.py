"""People with a past, for the pages to be looked at with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

from django.db import models
from django.utils import timezone

from accounts.models import User
from devices.core import sessions
from devices.core.clients.client import Client
from devices.models import DeviceSession, RevokeReason
from tests.browser.visitor import FIREFOX, WINDOWS

MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.6 Safari/605.1.15"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"
)
IPAD = IPHONE.replace("iPhone; CPU iPhone OS", "iPad; CPU OS")
PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/129.0.6668.70 Mobile Safari/537.36"
)
TV = (
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/108.0.5359.211 Safari/537.36"
)
AGENTS = [MAC, IPHONE, IPAD, PIXEL, WINDOWS, FIREFOX, TV, "curl/8.9.1", "okhttp/4.12.0"]

# Markup, a title that ends, text that turns what follows it around, and no blank to break the line at.
EVIL = '</bdi></title><script>document.title="x"</script><img src=x onerror=document.title="x">'
TURNED = "\u202e\u2066\u05d0\u05d1\u05d2 gpj.exe"


@contextmanager
def days_ago(days: float) -> Iterator[None]:
    then = timezone.now() - timedelta(days=days)
    with mock.patch.object(timezone, "now", return_value=then):
        yield


def past(
    user: User,
    agent: str,
    address: str,
    *,
    began: float,
    last: float,
    name: str = "",
    **fields: object,
) -> DeviceSession:
    """A session of that many days ago, by the verbs that made the real ones; `fields` as they are."""
    with days_ago(began):
        session = sessions.start(user, Client(address, agent))
        if name:
            sessions.rename(session, name)
    DeviceSession.objects.filter(pk=session.pk).update(
        last_active=timezone.now() - timedelta(days=last),
        expires_at=timezone.now() + timedelta(days=30 - last % 30),
        **fields,
    )
    session.refresh_from_db()
    return session


def alice(user: User) -> DeviceSession:
    """A usual life: some devices, one of them unusual, and some that are over. The unusual one."""
    past(user, IPHONE, "84.160.12.7", began=41, last=0.02, name="My phone", city="Hamburg")
    past(user, MAC, "84.160.12.7", began=12, last=0.4, name="Work laptop", city="Hamburg")
    past(user, IPAD, "84.160.12.7", began=3, last=2.2, login_method="passkey", city="Hamburg")
    past(user, TV, "84.160.12.7", began=28, last=6, login_method="google", city="Hamburg")
    past(user, "curl/8.9.1", "2001:db8:3f:1c02:9a31:77ff:fe20:1b", began=60, last=9)
    # In a country and on a system where nobody has seen her: the rules find it unusual by themselves.
    unusual = past(user, FIREFOX, "177.32.90.14", began=0.2, last=0.1, city="São Paulo")
    for agent, began, ended, reason in (
        (PIXEL, 50, 2, RevokeReason.USER),
        (WINDOWS, 30, 6, RevokeReason.LOGOUT),
        (FIREFOX, 29, 11, RevokeReason.REUSE),
    ):
        session = past(user, agent, "84.160.12.7", began=began, last=ended)
        with days_ago(ended):
            sessions.revoke(session, reason=reason, by=user)
    return unusual


def sixty(user: User) -> None:
    """More devices than anybody can look through, under names as long as they may be."""
    names = [
        "",
        "W" * 64,
        "The laptop in the kitchen that the children use for their homework",
        "Old one",
    ]
    for n in range(60):
        name = names[n % 4][:64]
        past(user, AGENTS[n % 9], f"84.160.12.{n}", began=n + 1, last=n * 1.7, name=name)


def long_ago(found: models.QuerySet[DeviceSession]) -> None:
    """Let the last proof of who they are be too old for what asks for a recent one."""
    found.update(authenticated_at=timezone.now() - timedelta(hours=1))


def name_as_stored(session: DeviceSession, name: str) -> None:
    """A name that no door would take, as if one had."""
    DeviceSession.objects.filter(pk=session.pk).update(name=name)
