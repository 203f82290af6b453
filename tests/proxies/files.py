"""The site with the page of docs/proxies.md that a proxy asks before it serves a file."""

from tests.proxies.settings import *  # noqa: F403

ROOT_URLCONF = "tests.proxies.files_urls"
