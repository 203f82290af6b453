"""Alice signs the lost phone out, orders, and is asked to prove who she is before the payout."""

from devices.models import Activity, DeviceSession
from tests.guides import IPHONE, LOGIN, PASSWORD, ask, refused

phone = ask("POST", "/api/token", data=LOGIN, agent=IPHONE).json()
here = ask("POST", "/api/token", data=LOGIN).json()
listed = ask("GET", "/api/sessions", here["access"]).json()
assert [(s["device"], s["is_current"]) for s in listed] == [
    ("curl", True),
    ("Safari on iOS", False),
]

lost = ask("DELETE", f"/api/sessions/{phone['session_id']}", here["access"])
assert lost.status_code == 204
assert refused(ask("GET", "/api/sessions", phone["access"])) == (401, "session_revoked")

order = ask("POST", "/api/orders", here["access"], {"item": "tea"})
assert (order.status_code, order.json()) == (201, {"ordered_on": "curl"})
log = ask("GET", "/api/sessions/current/activity", here["access"]).json()["results"]
assert [(a["kind"], a["data"]) for a in log if a["kind"].startswith("order")] == [
    ("order.placed", {"item": "tea"})
]
assert Activity.objects.filter(kind="order.placed").count() == 1

assert ask("POST", "/api/payouts", here["access"]).json() == {"paid": True}
session = DeviceSession.objects.get(pk=here["session_id"])
earlier = session.authenticated_at.replace(year=2020)
DeviceSession.objects.filter(pk=session.pk).update(authenticated_at=earlier)
assert refused(ask("POST", "/api/payouts", here["access"])) == (
    401,
    "insufficient_user_authentication",
)
confirmed = ask("POST", "/api/sessions/current/confirm", here["access"], {"password": PASSWORD})
assert confirmed.status_code == 200
assert ask("POST", "/api/payouts", here["access"]).json() == {"paid": True}

import shop.receivers  # noqa: E402

assert shop.receivers.heard == [
    ("started", "Safari on iOS"),
    ("started", "curl"),
    ("user", "Safari on iOS"),
]
