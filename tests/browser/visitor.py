"""Somebody at a browser of their own: goes to pages, reads them, and notes what the browser complains of."""

import base64
import shutil
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
TALLEST = 2600  # of a picture, in pixels

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


class Visitor:
    def __init__(
        self, browser: Any, url: str, *, agent: str = WINDOWS, phone: bool = False, **context: Any
    ) -> None:
        self.context = browser.new_context(
            base_url=url,
            user_agent=agent,
            viewport=PHONE if phone else DESK,
            has_touch=phone,
            **{"locale": "en", "reduced_motion": "reduce", **context},
        )
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        # What a policy refuses is an error on the console, as is a script or a file that fails.
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text} {message.location['url']}")

    def go(self, path: str) -> "Visitor":
        self.page.goto(path)
        return self

    @property
    def path(self) -> str:
        return "/" + self.page.url.split("/", 3)[3]

    def reads(self) -> str:
        """What there is to be read, blanks collapsed, without the marks around names."""
        text: str = self.page.locator("body").inner_text()
        return " ".join(text.translate({0x2068: "", 0x2069: ""}).split())

    def fill(self, **fields: str) -> "Visitor":
        for name, value in fields.items():
            self.page.locator(f"main [name={name}]:visible").first.fill(value)
        return self

    def press(self, name: str, *, within: str = "body") -> "Visitor":
        """Press the button or follow the link of this accessible name, the first if there are several."""
        place = self.page.locator(within)
        button = place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name))
        button.first.click()
        self.page.wait_for_load_state()
        return self

    def sign_in(self, email: str, password: str) -> "Visitor":
        self.go("/accounts/login/").fill(login=email, password=password)
        return self.press("Sign In", within="main")

    def picture(self, path: Path) -> None:
        """The page from its top, as WebP; a very long one is cut."""
        session = self.context.new_cdp_session(self.page)
        size = session.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": min(size["height"], TALLEST),
            "scale": 1,
        }
        taken = session.send(
            "Page.captureScreenshot",
            {"format": "webp", "quality": 70, "clip": clip, "captureBeyondViewport": True},
        )
        path.write_bytes(base64.b64decode(taken["data"]))
