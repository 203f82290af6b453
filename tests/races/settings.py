"""The site as the races run against it: the suite's settings, with room for very many logins of very few."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DEVICES

# Plain HTTP.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"

DEVICES = {
    **DEVICES,
    "LIVENESS": os.environ["RACE_LIVENESS"],
    "BUS": "postgres",
    "SIGNING_KEYS": os.environ.get("RACE_SIGNING_KEYS"),
    "FEED": "RACE_SERVICE" in os.environ,
    "SERVICE_CLIENTS": {
        "reports": {"secret": os.environ.get("RACE_SERVICE", ""), "may": ["feed", "introspect"]}
    },
    "MAX_SESSIONS": 5,
    "LOGIN_ATTEMPTS_PER_ADDRESS": 1_000_000,
}
