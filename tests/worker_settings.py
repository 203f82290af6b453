"""The site's settings for a worker of its own: the mail server of a test, and a lease that is soon over."""

import os

from project.environment import mail_settings
from tests.settings import *  # noqa: F403

vars().update(
    mail_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(os.environ["MAIL_PORT"]),
        EMAIL_TIMEOUT=30,
    )
)
DEVICES = {**DEVICES, "NOTICE_LEASE": 3, "NOTICE_QUEUE": os.environ["MAIL_QUEUE"]}  # noqa: F405
