"""Behind a proxy, what a client adds to the header decides neither its address nor its limit."""

from django.test import Client, override_settings

from devices.models import DeviceSession

from .people import PASSWORD, Story

PROXY, CLIENT = "10.0.0.7", "177.10.20.30"
BEHIND = {"TRUSTED_PROXIES": ["10.0.0.0/8"], "LOGIN_ATTEMPTS_PER_ADDRESS": 10}
# What nginx passes on, by what the client sent.
HONEST = CLIENT
ADDED = ("x", "", "unknown", "9.9.9.9", "10.0.0.9", "9.9.9.9, 10.0.0.9", "_hidden", "[::1", "ü")


def enter(name="alice", password=PASSWORD, **meta):
    given = {"username": name, "password": password}
    return Client(**meta).post("/api/token", given, content_type="application/json")


@override_settings(DEVICES=BEHIND)
class BehindAProxy(Story):
    def test_the_address_is_the_one_that_the_proxy_saw(self):
        for header in (HONEST, *(f"{added}, {CLIENT}" for added in ADDED)):
            answer = enter(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=header)
            self.assertEqual(answer.status_code, 200, header)
            session = DeviceSession.objects.get(pk=answer.json()["session_id"])
            self.assertEqual(session.ip_address, CLIENT, header)

    def test_another_header_is_not_read(self):
        for name in ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CLIENT_IP", "HTTP_CF_CONNECTING_IP"):
            given = {name: "for=9.9.9.9" if name == "HTTP_FORWARDED" else "9.9.9.9"}
            answer = enter(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=CLIENT, **given)
            session = DeviceSession.objects.get(pk=answer.json()["session_id"])
            self.assertEqual(session.ip_address, CLIENT, name)

    def test_whoever_comes_past_the_proxy_is_believed_nothing(self):
        answer = enter(REMOTE_ADDR="8.8.8.8", HTTP_X_FORWARDED_FOR=CLIENT)
        session = DeviceSession.objects.get(pk=answer.json()["session_id"])
        self.assertEqual(session.ip_address, "8.8.8.8")

    def spray(self, header):
        """The answers to wrong passwords for a different name each."""
        return [
            enter(
                f"nobody{n}",
                "wrong",
                REMOTE_ADDR=PROXY,
                HTTP_X_FORWARDED_FOR=header.format(n),
            ).status_code
            for n in range(20)
        ]

    def test_the_limit_is_the_clients_whatever_it_adds(self):
        self.assertEqual(self.spray("9.9.9.{}, " + CLIENT), [401] * 10 + [429] * 10)

    def test_no_address_is_one_bucket(self):
        """As over a Unix socket, where nobody says who is there."""
        told = [
            enter(f"nobody{n}", "wrong", REMOTE_ADDR="", HTTP_X_FORWARDED_FOR=f"x{n}").status_code
            for n in range(20)
        ]
        self.assertEqual(told, [401] * 10 + [429] * 10)
