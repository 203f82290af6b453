"""Alice has signed in, and Bob, whose account is closed, too."""

import json
from datetime import timedelta
from pathlib import Path

from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.authtoken.models import Token

from tests.guides import LOGIN, ask

token = ask("POST", "/api/login/", data=LOGIN).json()["token"]
bob = get_user_model().objects.create_user("bob", password="x", is_active=False)
found = [token, Token.objects.create(user=bob).key]
Token.objects.update(created=timezone.now() - timedelta(hours=1))
assert ask("GET", "/api/hello/", f"Token {token}").json() == {"hello": "alice"}
Path("before.json").write_text(json.dumps(found))
