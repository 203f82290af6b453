"""Alice has two knox tokens from an hour ago, and Bob, whose account is closed, has one."""

import json
from datetime import timedelta
from pathlib import Path

from django.contrib.auth import get_user_model
from django.utils import timezone
from knox.models import AuthToken

from tests.guides import alice, ask

bob = get_user_model().objects.create_user("bob", password="x")
found = [AuthToken.objects.create(user)[1] for user in (alice, alice, bob)]
AuthToken.objects.update(created=timezone.now() - timedelta(hours=1))
get_user_model().objects.filter(pk=bob.pk).update(is_active=False)
assert ask("GET", "/api/hello/", f"Token {found[0]}").json() == {"hello": "alice"}
Path("before.json").write_text(json.dumps(found))
