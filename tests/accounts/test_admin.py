"""What staff find of people, and what they do not."""

import pytest
from django.contrib import admin
from django.urls import reverse

pytestmark = pytest.mark.django_db


def test_nothing_that_opens_an_account_can_be_seen_or_made_in_the_admin(admin_client):
    registered = {model._meta.label for model in admin.site._registry}
    # Opened once, so that whatever registers itself has done so.
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert "accounts.User" in registered
    assert not registered & {"socialaccount.SocialToken", "socialaccount.SocialApp"}
    assert reverse("admin:accounts_user_changelist") in page
    assert "/admin/socialaccount/socialtoken/" not in page
