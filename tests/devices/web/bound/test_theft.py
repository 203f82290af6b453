"""The theft drill of docs/dbsc.md: each row is played, with a bound session and with one that is not."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from devices.core.binding import dbsc
from devices.models import DeviceSession, Notification, NotificationKind
from tests.dbsc import BoundBrowser, bound_cookie, new_key, proof, public, stolen

TEXT = (settings.BASE_DIR / "docs" / "dbsc.md").read_text()
ROWS = re.findall(
    r"^\| (.+?) \| (.+?) \| (.+?) \|$",
    TEXT.split("## Theft drill")[1].split("\n\nDBSC does")[0],
    re.M,
)
DAY = {what: {"not bound": plain, "bound": bound} for what, plain, bound in ROWS[2:]}
LATER = timedelta(minutes=15)


class Theft:
    def __init__(self, owner, session):
        self.owner, self.session = owner, session
        self.thief = stolen(owner)
        self.prove = f"/devices/{session.pk}/prove/"

    def ask(self, signed=""):
        # Which no cookie tells; let them know it.
        headers = {"Sec-Secure-Session-Id": dbsc.identifier_of(self.session.pk)}
        if signed:
            headers["Secure-Session-Response"] = signed
        return self.thief.post(self.prove, secure=True, headers=headers)

    def page(self, path="/devices/"):
        return "signed in" if self.thief.get(path, secure=True).status_code == 200 else "refused"

    def later(self, act):
        with time_machine.travel(timezone.now() + LATER):
            return act()

    def form(self):
        answer = self.thief.post(
            f"/devices/{self.session.pk}/name/",
            {"name": "Mine"},
            secure=True,
            headers={"Referer": "https://testserver/"},
        )
        assert answer.status_code == 302
        return "refused" if "/login/" in answer.url else "done"

    def renewal(self, signed=""):
        answer = self.ask(signed)
        assert not (found := bound_cookie(answer)) or not found.value
        return "nothing there" if answer.status_code == 200 else "refused"

    def challenge(self):
        return self.ask().get("Secure-Session-Challenge", '"none"').split('"')[1]

    def own_key(self):
        return self.renewal(proof(new_key(), self.challenge()))

    def replay(self):
        signed = "proof"
        if self.owner.key is not None:
            signed = self.owner.sign(self.owner.challenge())
            assert self.owner.ask(signed).status_code == 200
        return self.renewal(signed)

    def register(self):
        key = new_key()
        headers = {"Secure-Session-Response": proof(key, self.challenge(), jwk=public(key))}
        answer = self.thief.post("/devices/bind/", secure=True, headers=headers)
        assert bound_cookie(answer) is None
        return "refused" if answer.status_code == 400 else "registered"

    def afterwards(self):
        self.owner.post("/accounts/logout/", headers={"Referer": "https://testserver/"})
        return self.page()


PLAYED = {
    "opens a page at once": lambda t: t.page(),
    "opens a page a quarter of an hour later": lambda t: t.later(t.page),
    "opens the admin a quarter of an hour later": lambda t: t.later(lambda: t.page("/admin/")),
    "sends a form a quarter of an hour later": lambda t: t.later(t.form),
    "asks to renew the bound cookie": lambda t: t.renewal(),
    "signs the challenge with a key of their own": lambda t: t.own_key(),
    "sends a proof again that the browser has sent": lambda t: t.replay(),
    "registers a key of their own": lambda t: t.register(),
    "comes back after the owner has signed out": lambda t: t.afterwards(),
}


def test_the_table_in_the_document_is_the_one_that_is_played():
    assert list(DAY) == list(PLAYED)


@pytest.mark.parametrize("binding", ["not bound", "bound"])
@pytest.mark.parametrize("what", PLAYED)
def test_10_3_5_what_a_thief_of_cookies_gets(make_user, what, binding):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    owner = BoundBrowser()
    if binding == "bound":
        owner.bind(root.email)
        owner.renew()
    else:
        owner.sign_in(root.email)
    theft = Theft(owner, DeviceSession.objects.get())
    outcome, *told = DAY[what][binding].split(", ")
    assert PLAYED[what](theft) == outcome.split(":")[0]
    mails = [notice.kind for notice in Notification.objects.all()]
    assert mails == ([NotificationKind.BINDING_FAILED] if told == ["mail"] else [])
    # The owner goes on, whatever it was; by a renewal, if time went by.
    if "signed out" not in what:
        if binding == "bound":
            owner.renew()
        assert owner.is_in()
