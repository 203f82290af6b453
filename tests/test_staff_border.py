"""Nobody reaches above themselves: by no page of the admin, by no model that leads to an account."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import User
from devices.admin_site import AccountGuard, GuardedAdminSite, ways_to_people
from devices.models import Notification, NotificationKind
from tests.client import PASSWORD

ANOTHER = "another horse 7 battery"
CLERKS = ("account", "accounts", "auth", "mfa", "socialaccount")


@pytest.fixture
def root(make_user):
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    EmailAddress.objects.create(user=root, email=root.email, verified=True, primary=True)
    return root


@pytest.fixture
def clerk(make_user):
    """Staff who may write everything that is of accounts, but are no superuser."""
    user = make_user("clerk@example.org", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=CLERKS))
    return user


@pytest.fixture
def desk(clerk):
    browser = Browser()
    browser.force_login(clerk)
    return browser


def page(row, kind="change"):
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_{kind}", args=[row.pk])


def table(model, kind="add"):
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{kind}")


def leads(model_admin):
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    return model_admin.leads_to_people(request)


def fields_of(user, **changed):
    at = {"date_joined_0": "2026-01-01", "date_joined_1": "12:00"}
    return {"email": user.email, "is_active": "on", **at, **changed}


def test_A45_the_password_of_somebody_above_is_not_set(desk, root, alice):
    given = {"password1": ANOTHER, "password2": ANOTHER, "usable_password": "true"}
    of = lambda user: reverse("admin:auth_user_password_change", args=[user.pk])  # noqa: E731
    assert desk.post(of(root), given).status_code == 403
    root.refresh_from_db()
    assert root.check_password(PASSWORD)
    assert desk.post(of(alice), given).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(ANOTHER)


def test_A45_nor_is_their_row_changed_or_deleted(desk, root):
    assert desk.post(page(root), fields_of(root, email="mine@example.org")).status_code == 403
    assert desk.post(page(root, "delete"), {"post": "yes"}).status_code == 403
    ticked = {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"}
    assert desk.post(table(User, "changelist"), ticked).status_code == 403
    assert User.objects.get(pk=root.pk).email == root.email


@pytest.mark.parametrize("right", ["is_superuser", "is_staff", "groups", "user_permissions"])
def test_A45_rights_are_given_by_superusers_only(desk, clerk, root, alice, right):
    group = Group.objects.create(name="all")
    every = Permission.objects.values_list("pk", flat=True)
    forged = {
        "is_superuser": "on",
        "is_staff": "on",
        "groups": [group.pk],
        "user_permissions": list(every),
    }[right]
    before = len(clerk.get_all_permissions())
    for user in (clerk, alice):
        assert desk.post(page(user), fields_of(user, **{right: forged})).status_code == 302
        user = User.objects.get(pk=user.pk)
        assert not user.is_superuser and not user.groups.exists()
        assert user.is_staff == (user == clerk)
        assert len(user.get_all_permissions()) == (before if user == clerk else 0)
    browser = Browser()
    browser.force_login(root)
    rights = {"groups": [group.pk], "is_staff": "on"}
    assert browser.post(page(alice), fields_of(alice, **rights)).status_code == 302
    alice.refresh_from_db()
    assert alice.is_staff and list(alice.groups.all()) == [group]


def test_A45_a_form_that_offers_rights_gives_none(desk, clerk, monkeypatch):
    """One of a host project's own, that takes no heed of what may be read only."""
    monkeypatch.setattr(AccountGuard, "get_readonly_fields", lambda *args: ())
    answer = desk.post(page(clerk), fields_of(clerk, is_superuser="on"))
    assert answer.status_code == 403
    assert not User.objects.get(pk=clerk.pk).is_superuser


def test_A45_groups_are_for_superusers(desk, clerk):
    group = Group.objects.create(name="mine")
    clerk.groups.add(group)
    every = list(Permission.objects.values_list("pk", flat=True))
    assert desk.post(table(Group), {"name": "x", "permissions": every}).status_code == 403
    asked = {"name": "mine", "permissions": every}
    assert desk.post(page(group), asked).status_code == 403
    assert desk.post(page(group, "delete"), {"post": "yes"}).status_code == 403
    assert not group.permissions.exists() and Group.objects.count() == 1


def test_A45_nobody_above_is_given_an_address(desk, clerk, root, alice):
    address = {"email": "mallory@example.org", "verified": "on"}
    refused = desk.post(table(EmailAddress), {"user": root.pk, **address})
    assert list(refused.context["adminform"].form.errors) == ["user"]
    mine = EmailAddress.objects.create(user=clerk, email=address["email"], verified=True)
    assert desk.post(page(mine), {"user": root.pk, **address}).status_code == 200
    assert list(EmailAddress.objects.filter(user=root)) == [root.emailaddress_set.get()]
    assert (
        desk.post(table(EmailAddress), {"user": alice.pk, "email": alice.email}).status_code == 302
    )
    assert alice.emailaddress_set.exists()


def test_A45_nor_is_an_address_of_theirs_called_verified(desk, root, alice):
    theirs = EmailAddress.objects.create(user=root, email="mallory@example.org")
    hers = EmailAddress.objects.create(user=alice, email=alice.email)
    for ticked in ([theirs.pk, hers.pk], [theirs.pk]):
        marked = {"action": "make_verified", "_selected_action": ticked}
        assert desk.post(table(EmailAddress, "changelist"), marked).status_code == 302
    across = {"action": "make_verified", "_selected_action": [hers.pk], "select_across": "1"}
    desk.post(table(EmailAddress, "changelist"), across)
    assert not EmailAddress.objects.filter(pk__in=[theirs.pk, hers.pk], verified=True).exists()
    marked = {"action": "make_verified", "_selected_action": [hers.pk]}
    desk.post(table(EmailAddress, "changelist"), marked)
    assert EmailAddress.objects.get(pk=hers.pk).verified


def test_A45_nor_an_account_elsewhere(desk, clerk, root):
    mine = {"provider": "google", "uid": "4711", "extra_data": '{"a": 1}'}
    refused = desk.post(table(SocialAccount), {"user": root.pk, **mine})
    assert list(refused.context["adminform"].form.errors) == ["user"]
    row = SocialAccount.objects.create(user=clerk, provider="google", uid="4711")
    refused = desk.post(page(row), {"user": root.pk, **mine})
    assert list(refused.context["adminform"].form.errors) == ["user"]
    assert not SocialAccount.objects.filter(user=root).exists()


def test_A45_nor_is_a_factor_of_theirs_taken(desk, root):
    totp = Authenticator.objects.create(user=root, type="totp", data={})
    assert desk.post(page(totp, "delete"), {"post": "yes"}).status_code == 403
    assert Authenticator.objects.exists()


def test_V7_5_3_every_write_to_what_leads_to_an_account_asks_for_a_recent_proof(
    root, alice, clock, subtests
):
    browser = Browser()
    browser.force_login(root)
    clock.shift(16 * 60)
    led = [model for model, each in admin.site._registry.items() if leads(each)]
    assert {User, Group, EmailAddress, SocialAccount, Authenticator} <= set(led)
    for model in led:
        for kind in ("add", "changelist"):
            with subtests.test(model=model._meta.label, kind=kind):
                path = table(model, kind)
                answer = browser.post(path, {"action": "delete_selected"})
                assert answer.status_code == 302
                assert answer.url.startswith(reverse("devices:confirm")), answer.url
    for path in (page(alice), page(alice, "delete"), f"/admin/accounts/user/{alice.pk}/password/"):
        assert browser.get(path).status_code == 200
        assert browser.post(path).url.startswith(reverse("devices:confirm"))
    assert User.objects.filter(pk=alice.pk).exists()


def test_every_model_of_the_admin_is_behind_the_border():
    assert isinstance(admin.site, GuardedAdminSite) and admin.site._registry
    assert not [
        each for each in admin.site._registry.values() if not isinstance(each, AccountGuard)
    ]


def test_A45_a_model_that_is_registered_later_is_behind_it_too(clerk, root, alice):
    site = GuardedAdminSite()
    site.register(Notification)
    rows = [
        Notification(user=user, kind=NotificationKind.NEW_DEVICE, created_at=user.date_joined)
        for user in (root, alice)
    ]
    request = RequestFactory().post("/")
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="notification"))
    request.user = User.objects.get(pk=clerk.pk)
    registered = site.get_model_admin(Notification)
    assert [registered.has_change_permission(request, row) for row in rows] == [False, True]
    assert [registered.has_delete_permission(request, row) for row in rows] == [False, True]
    assert registered.has_change_permission(request)


def test_the_ways_to_people_go_along_foreign_keys():
    assert ways_to_people(User) == ("",)
    assert ways_to_people(EmailAddress) == ("user",)
    token = SocialAccount._meta.get_field("socialtoken").related_model
    assert ways_to_people(token) == ("account__user",)
    assert ways_to_people(Group) == ()
