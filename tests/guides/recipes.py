"""Each example of the recipes in Python does what its page says."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import AsyncClient as AsyncBrowser
from django.test import Client as Browser
from django.test import RequestFactory, override_settings

from devices.exceptions import DevicesError
from devices.models import DeviceSession
from devices.shortcuts import (
    Client,
    authenticate,
    end_session,
    get_claims,
    issue_tokens,
    start_session,
)
from tests.guides import IPHONE, LOGIN, PASSWORD, alice, ask, refused

call_command("migrate", run_syncdb=True, verbosity=0)

# Signing in
wrong = LOGIN | {"password": "wrong"}
for path in ("/api/my/login", "/plain/login"):
    assert refused(ask("POST", path, data=wrong)) == (401, "no_active_account")
phone = ask("POST", "/api/my/login", data=LOGIN, agent=IPHONE).json()
assert (phone["device"], phone["expires_in"] > 0) == ("Safari on iOS", True)
here = ask("POST", "/plain/login", data=LOGIN).json()
for _attempt in range(12):
    last = ask("POST", "/api/my/login", data=wrong | {"username": "nobody"})
assert refused(last) == (429, "throttled")
plain_last = ask("POST", "/plain/login", data=wrong | {"username": "nobody"})
assert refused(plain_last) == (429, "throttled") and int(plain_last["Retry-After"]) > 0

# Claims of one's own
claims = get_claims(here["access"])
assert (claims["staff"], claims["device"]) == (False, "curl")
assert "device" in get_claims(
    RequestFactory().get("/", headers={"Authorization": f"Bearer {here['access']}"})
)
again = ask("POST", "/plain/refresh", data={"refresh": here["refresh"]}).json()
assert get_claims(again["access"])["device"] == "curl"
assert refused(ask("POST", "/plain/refresh", data={"refresh": "none"})) == (401, "token_not_valid")

# Data of one's own
from shop.models import SessionData  # noqa: E402

session = authenticate(here["access"])
SessionData.objects.create(session=session, tenant="blue")
assert authenticate(here["access"]).shop.tenant == "blue"
for tenant, status in (("green", 204), ("red", 404)):
    switched = ask("POST", "/api/my/tenant", here["access"], data={"tenant": tenant})
    assert switched.status_code == status
assert authenticate(here["access"]).shop.tenant == "green"
from shop.middleware import with_tenant  # noqa: E402

for token, tenant in ((here["access"], "green"), ("none", ""), (phone["access"], "")):
    seen = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
    assert with_tenant(lambda request: request.tenant)(seen) == tenant
for token, code in (("", "not_authenticated"), ("none", "token_not_valid")):
    assert refused(ask("GET", "/api/sessions", token)) == (401, code)
with override_settings(DEVICES={"CLAIMS": "shop.claims.claims_with_tenant"}):
    other = start_session(Client(), session.user).session
    assert get_claims(issue_tokens(other).access)["tenant"] == ""
    data = SessionData.objects.create(session_id=other.pk, tenant="blue")
    assert get_claims(issue_tokens(other).access)["tenant"] == "blue"
    assert other.shop.tenant == "blue"
    SessionData.objects.filter(pk=data.pk).update(tenant="green")
    assert get_claims(issue_tokens(other).access)["tenant"] == "green"
end_session(other)

# Where one is, activity, proofs
where = ask("GET", "/api/my/where", here["access"]).json()
assert where == {"here": "curl", "from": "127.0.0.1", "all": ["curl", "Safari on iOS"]}
assert ask("POST", "/api/my/exports", here["access"]).status_code == 201
log = ask("GET", "/api/sessions/current/activity", here["access"]).json()["results"]
assert log[0]["kind"] == "report.exported" and log[0]["ip_address"] == "127.0.0.1"
assert ask("POST", "/api/my/payouts", here["access"]).json() == {"paid": True}
stale = session.authenticated_at.replace(year=2020)
type(session).objects.filter(pk=session.pk).update(authenticated_at=stale)
owed = (401, "insufficient_user_authentication")
assert refused(ask("POST", "/api/my/payouts", here["access"])) == owed
assert refused(ask("POST", "/api/my/orders", here["access"], {"amount": 101})) == owed
assert ask("POST", "/api/my/orders", here["access"], {"amount": 1}).status_code == 201
refusal = ask("POST", "/plain/close", here["access"])
assert refused(refusal) == owed and 'max_age="300"' in refusal["WWW-Authenticate"]
assert ask("POST", "/api/my/passkey", here["access"]).json() == {"missing": None}
assert ask("POST", "/api/my/payouts", here["access"]).json() == {"paid": True}
assert ask("POST", "/plain/close", here["access"]).json() == {"closed": True}

# Shorter sessions for staff
staff = get_user_model().objects.create_user("staff", password=PASSWORD, is_staff=True)
short = start_session(Client(), staff).session
assert short.absolute_expires_at - short.created_at == timedelta(hours=12)
assert session.absolute_expires_at - session.created_at > timedelta(days=1)

# Outside DRF
assert ask("POST", "/plain/hello", here["access"]).json() == {"hello": "alice", "on": "curl"}
assert ask("GET", "/plain/later", here["access"]).json() == {"hello": "alice"}
assert refused(ask("GET", "/plain/hello")) == (401, "session_required")
page = Browser().get("/plain/hello", headers={"Accept": "text/html"})
assert page.status_code == 302, "a person who opens a page is sent to sign in"
from shop import plain, support  # noqa: E402

assert asyncio.run(plain.socket(here["access"])) == "alice"
assert asyncio.run(plain.socket("none")) == "token_not_valid"
request = RequestFactory().get("/", headers={"Authorization": f"Bearer {here['access']}"})
assert plain.name_of(request) == "alice"


async def watch_prices() -> None:
    headers = {"Authorization": f"Bearer {here['access']}"}
    parts = aiter(await AsyncBrowser().get("/plain/feed", headers=headers))
    assert await anext(parts) == b"data: 42\n\n"
    await parts.aclose()


asyncio.run(watch_prices())

# One's own password: this session stays
new = "another horse battery 9"
assert ask("POST", "/api/my/password", here["access"], {"old": "x", "new": new}).status_code == 400
changed = ask("POST", "/api/my/password", here["access"], {"old": PASSWORD, "new": new})
assert changed.status_code == 204
assert ask("GET", "/api/my/where", here["access"]).json()["all"] == ["curl"]
assert refused(ask("GET", "/api/my/where", phone["access"])) == (401, "session_revoked")

# Ending
assert ask("POST", "/api/my/logout", here["access"]).status_code == 204
assert refused(ask("GET", "/api/my/where", here["access"])) == (401, "session_revoked")
alice.refresh_from_db()
ask("POST", "/plain/login", data=LOGIN | {"password": new})
assert support.lock_out(alice, SimpleNamespace(pk=alice.pk)) == 1
try:
    authenticate(here["access"])
    raise AssertionError("an ended session was authenticated")
except DevicesError as error:
    assert (error.code, error.status) == ("session_revoked", 401)

# Data of one's own goes with the session
DeviceSession.objects.update(revoked_at=stale, expires_at=stale, revoke_reason="user")
call_command("cleanup_sessions", verbosity=0)
assert not DeviceSession.objects.exists() and not SessionData.objects.exists()

# The recipe that tests
subprocess.run([sys.executable, "manage.py", "test", "shop", "-v0"], check=True)
