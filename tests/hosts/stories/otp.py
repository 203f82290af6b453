"""django-otp, as its documents say to install it: its `request.user.is_verified` and `@otp_required`."""

from django_otp import match_token, user_has_device
from django_otp.plugins.otp_static.models import StaticDevice

from devices.core import sessions
from devices.hooks import Proof, proof_by_backend
from devices.models import DeviceSession, RevokeReason

from .people import PASSWORD, Story, post


class OtpDevices:
    def has(self, user):
        return user_has_device(user)

    def verify(self, user, code):
        device = match_token(user, code)
        return type(device).__name__ if device else None


def proof_of(request, user) -> Proof:
    proof = proof_by_backend(request, user)
    return proof._replace(mfa=getattr(user, "otp_device", None) is not None)


class Otp(Story):
    def setUp(self):
        super().setUp()
        device = StaticDevice.objects.create(user=self.alice, name="codes")
        device.token_set.create(token="100000")
        self.device = device

    def enter(self, browser):
        form = {
            "username": "alice",
            "password": PASSWORD,
            "otp_device": self.device.persistent_id,
            "otp_token": "100000",
        }
        answer = browser.post("/enter/?next=/vault", form)
        self.assertRedirects(answer, "/vault")

    def test_nobody_and_a_password_alone_are_not_verified(self):
        self.assertEqual(self.client.get("/who").json(), {"verified": False})
        browser = self.browser(self.alice)
        self.assertEqual(browser.get("/who").json(), {"verified": False})
        self.assertRedirects(
            browser.get("/vault"), "/enter/?next=/vault", fetch_redirect_response=False
        )

    def test_whoever_showed_a_code_is_verified_and_has_one_session(self):
        browser = self.client_class()
        self.enter(browser)
        self.assertEqual(browser.get("/vault").json(), {"user": "alice"})
        self.assertEqual(browser.get("/later").json(), {"user": "alice"})
        self.assertEqual(DeviceSession.objects.get().user, self.alice)

    def test_a_page_with_a_code_proves_the_second_factor(self):
        self.enter(self.client_class())
        self.assertIsNotNone(DeviceSession.objects.get().mfa_at)

    def test_the_api_asks_for_a_code_which_works_once(self):
        given = {"username": "alice", "password": PASSWORD}
        self.assertEqual(post("/api/token", **given).json()["code"], "otp_required")
        self.assertEqual(post("/api/token", **given, otp="100000").status_code, 200)
        self.assertEqual(post("/api/token", **given, otp="100000").json()["code"], "otp_invalid")

    def test_neither_holds_once_the_session_has_ended(self):
        browser = self.client_class()
        self.enter(browser)
        sessions.revoke(DeviceSession.objects.get(), reason=RevokeReason.USER)
        self.assertEqual(browser.get("/who").json(), {"verified": False})
        self.assertEqual(browser.get("/vault").status_code, 302)
        self.assertEqual(browser.get("/later").json(), {"user": ""})
