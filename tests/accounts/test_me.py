"""Who am I, and on which device."""

from tests.client import CHROME, IPHONE


def test_me_is_the_user_and_the_session_that_asks(alice, mallory, sign_in, clock):
    expired = sign_in(alice)
    clock.shift(30 * 24 * 3600)
    phone, laptop = sign_in(alice, IPHONE), sign_in(alice, CHROME)
    sign_in(mallory)
    answer = phone.get("/api/me")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": alice.pk,
        "email": "alice@example.org",
        "active_sessions": 2,
        "current_session": {"id": phone.session_id, "device": "Safari on iOS"},
    }
    assert answer["Cache-Control"] == "no-store"
    assert laptop.get("/api/me").json()["current_session"] == {
        "id": laptop.session_id,
        "device": "Chrome on Windows",
    }
    assert expired.session_id


def test_what_is_active_is_what_is_listed(alice, sign_in):
    phone, laptop, tablet = (sign_in(alice) for _ in range(3))
    laptop.post("/api/logout")
    me = phone.get("/api/me").json()
    assert me["active_sessions"] == len(phone.get("/api/sessions").json()) == 2
    alice.set_password("another horse 9 battery")
    alice.save()
    fresh = sign_in(alice, password="another horse 9 battery")
    assert fresh.get("/api/me").json()["active_sessions"] == 1
    assert not tablet.is_in()
