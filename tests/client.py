"""People and their devices, as the tests meet them: through the API's own doors."""

from typing import Any

from rest_framework.test import APIClient

PASSWORD = "correct horse battery 9"

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/129.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 14_0 like Mac OS X)"


class Device(APIClient):
    """A client on one device: sends its user agent, and the access token once it is signed in."""

    def __init__(self, agent: str = CHROME, ip: str = "203.0.113.7") -> None:
        super().__init__(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
        self.access = self.refresh_token = self.session_id = ""

    def sign_in(self, email: str, password: str = PASSWORD) -> "Device":
        answer = self.post("/api/login", {"email": email, "password": password})
        assert answer.status_code == 200, answer.json()
        self.hold(answer.json())
        return self

    def hold(self, tokens: dict[str, Any]) -> None:
        """Use these tokens from now on, in the shape of either door."""
        self.access = tokens.get("access_token") or tokens["access"]
        self.refresh_token = tokens.get("refresh_token") or tokens["refresh"]
        self.session_id = tokens.get("session_id", self.session_id)
        self.credentials(
            HTTP_AUTHORIZATION=f"Bearer {self.access}",
            **{k: v for k, v in self.defaults.items() if k != "HTTP_AUTHORIZATION"},
        )

    def refresh(self, token: str | None = None) -> Any:
        """POST a refresh token, the current one if none is given; the answer as it is."""
        return APIClient(**self.defaults).post(
            "/api/token/refresh", {"refresh": token or self.refresh_token}
        )

    def rotate(self) -> "Device":
        answer = self.refresh()
        assert answer.status_code == 200, answer.json()
        self.hold(answer.json())
        return self

    def is_in(self) -> bool:
        return self.get("/api/me").status_code == 200


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of an error, whose body is exactly `{"detail", "code"}` and is never stored."""
    body = answer.json()
    assert set(body) == {"detail", "code"}, body
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.status_code, body["code"]
