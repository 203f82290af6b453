"""The site with signing keys from files, so that a test can sign what the site would not."""

from pathlib import Path

from project.environment import env
from tests.proxies.settings import *  # noqa: F403
from tests.proxies.settings import DEVICES

DEVICES = {
    **DEVICES,
    "SIGNING_KEYS": [
        {"key": Path(env.str("KEY"))},
        {"key": Path(env.str("NEXT_KEY")), "state": "next"},
    ],
}
