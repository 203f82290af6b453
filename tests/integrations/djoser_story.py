"""djoser: its JWT views, a login with another site, and its views of one's own account."""

from django.test import override_settings
from social_core.backends.github import GithubOAuth2

from devices.checks import integrations
from devices.models import DeviceSession
from tests.integrations.behaviour import HERE, PASSWORD, Tab, codes, examine, people, report


class Login(Tab):
    login_path = "/api/auth/jwt/create/"
    # djoser has no way to sign a JWT out.
    refresh_path = "/api/auth/jwt/refresh/"
    password_path = "/api/auth/users/set_password/"

    def passwords(self, old, new):
        return {"current_password": old, "new_password": new}


class Social(Login):
    login_path = "/api/auth/o/github/"
    method = "github"

    def sign_in(self, **more):
        where = "https://shop.example.org/callback"
        sent = self.ask("GET", f"{self.login_path}?redirect_uri={where}").json()
        state = sent["authorization_url"].split("state=")[1].split("&")[0]
        form = {"state": state, "code": "x"}
        self.answer = self.client.post(self.login_path, form, headers=HERE)
        return self.hold()


# What GitHub would say.
GithubOAuth2.user_data = lambda *args, **kwargs: {
    "id": 7,
    "login": "alice",
    "email": "alice@example.org",
}
GithubOAuth2.request_access_token = lambda *args, **kwargs: {"access_token": "x"}


rows = {"djoser": examine(Login, codes(Login))}
rows["djoser, another site"] = examine(Social, codes(Social, is_at_login=False))

# Without our strategy, it makes tokens that are refused everywhere.
with override_settings(DJOSER={}):
    assert [each.id for each in integrations.check()] == ["devices.E132"]

# One's own account goes, and its sessions with it.
people()
here = Login().sign_in()
gone = here.ask("DELETE", "/api/auth/users/me/", {"current_password": PASSWORD})
assert gone.status_code == 204, gone.content
assert not DeviceSession.objects.exists() and not here.is_in()

# Who registers signs in next.
made = Login().ask("POST", "/api/auth/users/", {"username": "bob", "password": PASSWORD})
assert made.status_code == 201 and not DeviceSession.objects.exists()
report(rows)
