"""The site as its environment makes it, with a limit that is soon reached and hashes that are soon made."""

from project.settings import *  # noqa: F403
from project.settings import DEVICES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEVICES = {**DEVICES, "LOGIN_ATTEMPTS_PER_ADDRESS": 10, "NOTICE_QUEUE": "worker"}
