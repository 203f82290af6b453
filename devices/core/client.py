"""Who is calling, as far as a request tells: the client, and the label people know it by. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from user_agents import parse


@dataclass(frozen=True)
class Client:
    """What a request tells about its sender; all of it but the address is the sender's own claim."""

    ip_address: str | None = None
    user_agent: str = ""


class Label(NamedTuple):
    device: str
    device_type: str
    browser: str
    os: str


def label(client: Client) -> Label:
    """Browser, OS and type behind a user agent, and their one-line name ("Chrome on Windows")."""
    agent = parse(client.user_agent[:512])
    browser = agent.browser.family.removeprefix("Mobile ").removesuffix(" Mobile")
    os = agent.os.family.replace("Mac OS X", "macOS")
    if agent.is_bot:
        kind = "bot"
    elif agent.is_tablet:
        kind = "tablet"
    elif agent.is_mobile:
        kind = "mobile"
    else:
        kind = "desktop" if agent.is_pc else "unknown"
    return Label(f"{browser} on {os}", kind, browser, os)
