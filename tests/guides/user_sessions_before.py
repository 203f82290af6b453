"""Alice is signed in to the admin in two browsers; Bob, whose account is closed, was in one."""

import json
from pathlib import Path

from django.contrib.auth import get_user_model
from django.test import Client

from tests.guides import IPHONE, alice

alice.is_staff = alice.is_superuser = True
alice.save()
bob = get_user_model().objects.create_user("bob", password="x", is_staff=True)
cookies = []
for user, agent in ((alice, IPHONE), (alice, "curl/8"), (bob, "curl/8")):
    browser = Client(headers={"User-Agent": agent})
    browser.force_login(user)
    browser.get("/admin/")
    cookies.append(browser.cookies["sessionid"].value)
get_user_model().objects.filter(pk=bob.pk).update(is_active=False)
Path("before.json").write_text(json.dumps(cookies))
