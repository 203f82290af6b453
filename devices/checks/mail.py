"""Where mails lead to, and who sends them."""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from devices.conf import Conf
from devices.core.watch import background, review, risk
from devices.models import RiskLevel


def check_deployment() -> Iterator[CheckMessage]:
    threshold = Conf().RISK_LEVELS.get(RiskLevel.HIGH, risk.LEVELS[RiskLevel.HIGH])
    if threshold is not None and not review.page("devices:review"):
        yield checks.Warning(
            "Mails carry no link by which people approve an unusual sign-in of theirs.",
            hint="Set DEVICES['SITE_URL'], and include devices.web.urls.",
            id="devices.W037",
        )


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
    server = _mail_server()
    if server is None:
        yield Error(
            "MAILERS has no 'default', and mails about unusual sign-ins are sent by it.",
            hint="Name one, as Django's documentation of MAILERS shows.",
            id="devices.E070",
        )
        return
    backend, timeout = server
    # Django's own settings stand for no mail server yet.
    given: Any = settings
    is_set = given.is_overridden("EMAIL_HOST") or given.is_overridden("MAILERS")
    is_smtp = is_set and backend.endswith(".smtp.EmailBackend")
    # A mail takes some ten answers of the server.
    if is_smtp and not (timeout and 10 * timeout <= conf.NOTICE_LEASE.total_seconds()):
        yield checks.Warning(
            "A mail server that hangs can hold a mail for longer than NOTICE_LEASE: it may be sent twice.",
            hint="Set EMAIL_TIMEOUT, since Django 6.1 the option 'timeout' in MAILERS, to a tenth of "
            "DEVICES['NOTICE_LEASE'] at most: 20.",
            id="devices.W032",
        )


def _mail_server() -> tuple[str, float | None] | None:
    """Return path and timeout (seconds) of the backend that sends mails; None where there is none."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is not None:  # Since Django 6.1; then the older settings cannot be read.
        if "default" not in mailers:
            return None
        mailer = mailers["default"]
        backend = mailer.get("BACKEND", ".smtp.EmailBackend")
        return backend, mailer.get("OPTIONS", {}).get("timeout")
    with warnings.catch_warnings(action="ignore"):  # Their deprecation is told by Django itself.
        return settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
