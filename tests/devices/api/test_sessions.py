"""The caller's sessions over REST: success, refusals, exact keys."""

from tests.client import CHROME, IPHONE

KEYS = {
    "id", "name", "device", "device_type", "browser", "os", "is_mobile", "ip_address", "last_ip",
    "country", "city", "user_agent", "login_method", "created_at", "last_active", "expires_at",
    "is_current",
}  # fmt: skip


def test_the_list_shows_each_login_and_which_one_is_this(alice, sign_in, clock):
    phone = sign_in(alice, IPHONE, "198.51.100.4")
    clock.shift(1)
    laptop = sign_in(alice, CHROME)
    listed = laptop.get("/api/sessions").json()
    assert [(row["id"], row["is_current"]) for row in listed] == [
        (laptop.session_id, True),
        (phone.session_id, False),
    ]
    assert all(set(row) == KEYS for row in listed)
    assert listed[1]["ip_address"] == "198.51.100.4"
    assert listed[1]["user_agent"] == IPHONE
