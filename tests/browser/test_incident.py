"""Five tasks of an incident, as a member of "Session managers": in clicks and pages, counted in Chromium.

A click is what the hand does besides typing: a link, a button, an option. Each task begins at the first page
of the admin, and long after the last proof of who the member is. The counts are printed, and bounded.
"""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.staff import bulk_revocation
from devices.models import DeviceSession, RevokeReason
from tests.browser import scenes
from tests.client import PASSWORD

MOST_CLICKS = 4
NETWORK = "41.58.0.0/16"
COLLEAGUE = "colleague@staff.example"
NOTE = "Stolen tokens, ticket 4711."


class Hand:
    """Does one task and counts: what it clicks, and the pages that come of it."""

    def __init__(self, visitor, day):
        self.visitor, self.page, self.day = visitor, visitor.page, day
        visitor.go("/admin/")
        self.clicks, self.pages = 0, 0
        self.page.on("domcontentloaded", self._turned)

    def _turned(self, page):
        self.pages += 1

    def click(self, name, *, within="body"):
        """Click what has this accessible name, and wait for the page that it leads to."""
        place = self.page.locator(within)
        button = place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name))
        with self.page.expect_navigation(wait_until="load"):
            button.first.click()
        self.clicks += 1
        return self

    def type(self, label, text):
        self.page.locator("#content, main").get_by_label(label).first.fill(text)
        return self

    def reads(self, *texts):
        shown = self.visitor.reads()
        assert all(text in shown for text in texts), (self.visitor.path, texts, shown)
        return self

    def done(self):
        self.page.remove_listener("domcontentloaded", self._turned)
        return self.clicks, self.pages


def find(hand, term):
    hand.type("A person, an address, a network", term)
    return hand.click("Find sessions")


def prove(hand):
    return hand.type("Password", PASSWORD).click("Confirm", within="main")


def end_a_network(hand):
    find(hand, NETWORK).click("Revoke all that were found…")
    prove(hand).reads("4 sessions of 3 people", "Nigeria")
    hand.type("Reason", NOTE).click("Revoke", within="#content")
    hand.reads("Revoked: 4 sessions of 3 people.", NOTE)


def a_country_in_a_night(hand):
    hand.click("Device sessions", within="#content")
    hand.click("Nigeria", within="#changelist-filter")
    hand.type("From", f"{hand.day}T02:00").type("To", f"{hand.day}T03:30")
    hand.page.get_by_label("Time zone").select_option("UTC")
    hand.click("Apply").reads("1 device session")


def take_over_and_hand_back(hand):
    find(hand, "robbed@").click("require a new password")
    prove(hand).type("Reason", NOTE).click("End all and require a new password")
    hand.reads("A new password is required.", "robbed@example.org")


def an_address_now(hand):
    find(hand, "41.58.200.9").reads("1 device session", "refreshed@example.org")
    hand.click("Failed sign-ins of the same search").reads("no such account", "41.58.200.9")


def who_failed(hand):
    hand.click("Failed sign-ins", within=".overview")
    hand.reads("robbed@example.org", "41.58.7.7", "Wrong password or unknown account")


def what_a_colleague_revoked(hand):
    hand.click("What staff revoked", within=".overview").click(COLLEAGUE)
    hand.reads("session.revoked", "Lost phone.", "1 line")


TASKS = {
    "everything from 41.58.0.0/16": end_a_network,
    "Nigeria between 02:00 and 03:30 UTC": a_country_in_a_night,
    "take over and hand back an account": take_over_and_hand_back,
    "what is this address doing now": an_address_now,
    "who failed": who_failed,
    "what did a colleague revoke": what_a_colleague_revoked,
}


@pytest.fixture
def night(make_user):
    """What the tasks are about. The day of the night, and the member of staff."""
    call_command("session_groups", stdout=io.StringIO())
    managers = Group.objects.get(name="Session managers")
    member, colleague = (
        make_user(email, is_staff=True) for email in ("me@staff.example", COLLEAGUE)
    )
    for each in (member, colleague):
        each.user_permissions.clear()
        each.groups.add(managers)
    robbed, other = make_user("robbed@example.org"), make_user("other@example.org")
    for user in (robbed, other):
        sessions.start(user, Client("41.58.3.4", scenes.PIXEL))
    early = sessions.start(robbed, Client("41.58.9.1", scenes.WINDOWS))
    # The night that is over, whenever this runs.
    begun = (early.created_at - timedelta(days=1)).replace(hour=2, minute=45)
    DeviceSession.objects.filter(pk=early.pk).update(created_at=begun)
    refreshed = sessions.start(
        make_user("refreshed@example.org"), Client("84.160.12.7", scenes.MAC)
    )
    DeviceSession.objects.filter(pk=refreshed.pk).update(last_ip="41.58.200.9")
    security_log.log(Event.LOGIN_FAILED, user_id=robbed.pk, client=Client("41.58.7.7", ""))
    security_log.log(Event.LOGIN_FAILED, client=Client("41.58.200.9", ""))
    lost = sessions.start(other, Client("84.160.12.8", scenes.IPHONE))
    chosen = DeviceSession.objects.filter(pk=lost.pk)
    bulk_revocation.revoke(chosen, by=colleague, note="Lost phone.")
    assert DeviceSession.objects.get(pk=lost.pk).revoke_reason == RevokeReason.ADMIN
    return member, f"{begun:%Y-%m-%d}"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_each_task_takes_four_clicks_at_most(drive, night, task):
    member, day = night
    # The browser as it was left, since where it is driven nobody may ask the database.
    left = drive(lambda visit: visit().sign_in(member.email, PASSWORD).context.storage_state())
    scenes.long_ago(DeviceSession.objects.filter(user_id=member.pk))

    def do(visit):
        hand = Hand(visit(storage_state=left), day)
        task(hand)
        return hand.done()

    clicks, pages = drive(do)
    print(f"{clicks} clicks, {pages} pages")
    assert clicks <= MOST_CLICKS
