"""Where mails lead to, and who sends them."""

from collections.abc import Iterator
from importlib.util import find_spec

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core.watch import background


def check() -> Iterator[CheckMessage]:
    conf = Conf()
    if conf.SITE_URL and not conf.SITE_URL.startswith(("https://", "http://")):
        yield Error(
            "DEVICES['SITE_URL'] is no URL.", hint="Write https://example.org.", id="devices.E035"
        )
    queue = conf.NOTICE_QUEUE
    is_redis = background.is_redis(queue)
    if not is_redis and queue not in ("embedded", "worker"):
        yield Error(
            "DEVICES['NOTICE_QUEUE'] is neither 'embedded' nor 'worker' nor the URL of a Redis.",
            hint="See docs/settings.md.",
            id="devices.E031",
        )
    if is_redis and find_spec("redis") is None:
        yield Error(
            "DEVICES['NOTICE_QUEUE'] names a Redis, but the package redis is not installed.",
            hint="pip install redis",
            id="devices.E036",
        )
    is_smtp = settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend")
    timeout = settings.EMAIL_TIMEOUT
    # A mail takes some ten answers of the server.
    if is_smtp and not (timeout and 10 * timeout <= conf.NOTICE_LEASE.total_seconds()):
        yield checks.Warning(
            "A mail server that hangs can hold a mail for longer than NOTICE_LEASE: it may be sent twice.",
            hint="Set EMAIL_TIMEOUT to a tenth of DEVICES['NOTICE_LEASE'] at most: 20.",
            id="devices.W032",
        )
