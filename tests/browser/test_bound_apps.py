"""The app of the cookie recipe in Chromium over HTTPS, its session bound to a key of the browser (DBSC)."""

import pytest

from devices.models import Activity, DeviceSession, Notification, NotificationKind

from .test_cookies import open_window, sign_in, urlpatterns
from .test_dbsc import (
    certificates,
    chromium,
    cookie,
    endings,
    expire,
    listen,
    live_server,
    wait,
    wait_for_no_cookie,
)
from .visitor import FIREFOX

__all__ = ["certificates", "chromium", "live_server", "urlpatterns"]  # fixtures, and the app

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def bound(visitor):
    """A window of the app in which somebody has signed in, and whose session the browser has bound."""
    window = sign_in(visitor)
    wait(visitor, lambda: cookie(visitor))
    return window


def is_in(window):
    """Whether the app gets a new access token, and that opens the API."""
    return window.evaluate("auth.refresh().then(async (is) => is && (await auth.api('/me')).ok)")


def no_complaints_of(visitor, status):
    """Chromium notes each answer of an error on its console, which here is what was to be seen."""
    assert all(f" {status} " in each for each in visitor.complaints), visitor.complaints
    visitor.complaints.clear()


def failures():
    return [each.data["reason"] for each in Activity.objects.filter(kind="binding.failed")]


def test_an_app_is_bound_and_refreshes_across_the_expiry_of_its_cookie(drive, alice):
    def journey(visit):
        visitor = visit()
        window = bound(visitor)
        first = cookie(visitor)
        expire(visitor)
        assert is_in(window)
        assert cookie(visitor) not in (None, first)

    drive(journey)
    session = DeviceSession.objects.get()
    assert (session.binding, session.status) == ("dbsc", "active")
    assert session.binding_proofs >= 1
    assert failures() == []


def test_cookies_of_an_app_copied_to_a_second_profile_are_refused_once_the_bound_one_has_expired(
    drive, alice
):
    def journey(visit):
        owner, thief = visit(), visit()
        home = bound(owner)
        # A renewal ends the moment after binding, in which requests may lack the cookie.
        assert is_in(home)
        thief.context.add_cookies(owner.context.cookies())
        elsewhere = open_window(thief.page)
        # Until then the copy is as good as the original.
        assert is_in(elsewhere)
        expire(thief)
        assert not is_in(elsewhere)
        no_complaints_of(thief, 401)
        # The owner goes on, and the thief stays out.
        assert is_in(home)
        assert not is_in(elsewhere)
        no_complaints_of(thief, 401)

    drive(journey)
    assert DeviceSession.objects.get().status == "active"
    assert failures() == ["missing"]
    kinds = [notice.kind for notice in Notification.objects.all()]
    assert kinds == [NotificationKind.BINDING_FAILED]


def test_two_windows_of_an_app_that_refresh_when_its_cookie_expires_are_both_served(drive, alice):
    def journey(visit):
        visitor = visit()
        windows = [bound(visitor), open_window(visitor.context.new_page())]
        expire(visitor)
        for window in windows:
            window.evaluate(
                "() => { window.running = Promise.all([auth.refresh(), auth.api('/me')]) }"
            )
        return [
            window.evaluate("window.running.then(([is, answer]) => [is, answer.status])")
            for window in windows
        ]

    # The one request left without a token, and is sent again by the recipe.
    assert drive(journey) == [[True, 200], [True, 200]]
    assert DeviceSession.objects.get().revoked_at is None
    assert failures() == []


@pytest.mark.parametrize("how, reason", [("revoked", "user_all"), ("signed out", "logout")])
def test_the_browser_is_told_that_the_session_of_an_app_is_over(drive, alice, how, reason):
    def journey(visit):
        visitor = visit()
        window = bound(visitor)
        told = listen(visitor)
        if how == "signed out":
            window.evaluate("auth.logout()")
        else:
            other = bound(visit(agent=FIREFOX))
            assert other.evaluate(
                "auth.api('/sessions/revoke-all', { method: 'POST' }).then((answer) => answer.ok)"
            )
            assert not is_in(window)
            no_complaints_of(visitor, 401)
        # That answer deleted the cookie; with the next request the browser asks whether it goes on.
        wait_for_no_cookie(visitor)
        assert not is_in(window)
        no_complaints_of(visitor, 401)
        wait(visitor, lambda: endings(told))
        return told

    assert endings(drive(journey)) == ["ServerRequested"]
    [over] = DeviceSession.objects.filter(revoked_at__isnull=False)
    assert (over.binding, over.revoke_reason) == ("dbsc", reason)
    assert failures() == []
