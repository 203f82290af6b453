"""Alice has three refresh tokens: one good, one used up by rotation, one blacklisted. Bob was deleted."""

import json
from datetime import timedelta
from pathlib import Path

from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from tests.guides import LOGIN, ask

phone = ask("POST", "/api/token/", data=LOGIN).json()
used = ask("POST", "/api/token/", data=LOGIN).json()
assert ask("POST", "/api/token/refresh/", data={"refresh": used["refresh"]}).status_code == 200
ended = ask("POST", "/api/token/", data=LOGIN).json()
RefreshToken(ended["refresh"]).blacklist()
bob = get_user_model().objects.create_user("bob", password="x")
bobs = str(RefreshToken.for_user(bob))
bob.delete()
OutstandingToken.objects.update(created_at=timezone.now() - timedelta(hours=1))
found = {"access": phone["access"], "good": phone["refresh"]}
found |= {"used": used["refresh"], "ended": ended["refresh"], "bobs": bobs}
assert ask("GET", "/api/hello/", found["access"]).json() == {"hello": "alice"}
Path("before.json").write_text(json.dumps(found))
