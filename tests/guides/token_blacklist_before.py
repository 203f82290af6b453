"""Alice has refresh tokens: good ones, one used up by rotation, one blacklisted. Bob was deleted."""

import json
from datetime import timedelta
from pathlib import Path

from django.contrib.auth import get_user_model
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from tests.guides import LOGIN, ask

phone = ask("POST", "/api/token/", data=LOGIN).json()
good = RefreshToken(phone["refresh"])
good.set_iat(at_time=good.current_time - timedelta(hours=1))
used = ask("POST", "/api/token/", data=LOGIN).json()
assert ask("POST", "/api/token/refresh/", data={"refresh": used["refresh"]}).status_code == 200
ended = ask("POST", "/api/token/", data=LOGIN).json()
RefreshToken(ended["refresh"]).blacklist()
spare, lost, row_less = (ask("POST", "/api/token/", data=LOGIN).json()["refresh"] for _ in range(3))
OutstandingToken.objects.filter(token=row_less).delete()
bob = get_user_model().objects.create_user("bob", password="x")
bobs = str(RefreshToken.for_user(bob))
bob.delete()
found = {"access": phone["access"], "good": str(good)}
found |= {"spare": spare, "lost": lost, "row_less": row_less}
found |= {"used": used["refresh"], "ended": ended["refresh"], "bobs": bobs}
assert ask("GET", "/api/hello/", found["access"]).json() == {"hello": "alice"}
Path("before.json").write_text(json.dumps(found))
