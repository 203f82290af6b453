"""The site's settings for a worker of its own: the mail server of a test, and a lease that is soon over."""

import os

from tests.settings import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["MAIL_PORT"])
EMAIL_TIMEOUT = 30
DEVICES = {**DEVICES, "NOTICE_LEASE": 3}  # noqa: F405
