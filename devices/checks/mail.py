"""Where mails lead to, and who sends them."""

import re
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from devices.conf import Conf, is_redis
from devices.core.notifications import outbox, review_links
from devices.core.risk import rules
from devices.models import RiskLevel

from .given import is_given

# Django's own, where MAILERS names no backend.
DEFAULT: Final = ".smtp.EmailBackend"


def check_deployment() -> Iterator[CheckMessage]:
    """Check that e-mails can link to the page where users approve a sign-in."""
    threshold = Conf().RISK_LEVELS.get(RiskLevel.HIGH, rules.LEVELS[RiskLevel.HIGH])
    if threshold is not None and not review_links.page("devices:review"):
        yield checks.Warning(
            "E-mails about an unusual sign-in have no link to approve it.",
            hint="Set DEVICES['SITE_URL'], and include devices.web.urls.",
            id="devices.W037",
        )


def check() -> Iterator[CheckMessage]:
    """Check the settings of e-mails."""
    conf = Conf()
    if conf.SITE_URL and not _is_site(conf.SITE_URL):
        yield Error(
            "DEVICES['SITE_URL'] is not a URL.",
            hint="Write https://example.org.",
            id="devices.E035",
        )
    if conf.DEVICE_CODE_METHODS and not outbox.address_field():
        yield Error(
            "DEVICES['DEVICE_CODE_METHODS'] asks for a code by e-mail, and users have no address.",
            hint="Name the field by EMAIL_FIELD of the user model, or empty the setting.",
            id="devices.E104",
        )
    queue = conf.NOTICE_QUEUE
    if not is_redis(queue) and queue not in ("embedded", "worker"):
        yield Error(
            "DEVICES['NOTICE_QUEUE'] is neither 'embedded' nor 'worker' nor the URL of a Redis.",
            hint="See docs/settings.md.",
            id="devices.E031",
        )
    if is_redis(queue) and find_spec("redis") is None:
        yield Error(
            "DEVICES['NOTICE_QUEUE'] names a Redis, but the package redis is not installed.",
            hint="pip install redis",
            id="devices.E036",
        )
    server = _mail_server()
    if server is None:
        yield Error(
            "MAILERS has no 'default', which sends e-mails about unusual sign-ins.",
            hint="Add one; see Django's documentation of MAILERS.",
            id="devices.E070",
        )
        return
    backend, timeout = server
    try:
        if backend != DEFAULT:
            import_string(backend)
    except ImportError as error:
        yield checks.Warning(
            f"No e-mail can be sent: {error}",
            hint="Name another EMAIL_BACKEND, since Django 6.1 another BACKEND in MAILERS.",
            id="devices.W107",
        )
    # Django's own settings stand for no mail server yet.
    is_set = is_given("EMAIL_HOST") or is_given("MAILERS")
    is_smtp = is_set and backend.endswith(DEFAULT)
    # A mail takes some ten answers of the server.
    if is_smtp and not (timeout and 10 * timeout <= conf.NOTICE_LEASE.total_seconds()):
        yield checks.Warning(
            "If the mail server hangs for longer than NOTICE_LEASE, an e-mail may be sent twice.",
            hint="Set EMAIL_TIMEOUT, since Django 6.1 the option 'timeout' in MAILERS, to a tenth of "
            "DEVICES['NOTICE_LEASE'] at most: 20.",
            id="devices.W032",
        )


def _is_site(url: str) -> bool:
    """Whether links can begin with it: a scheme, a host, perhaps a port and a path, and nothing else."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and has_port
    return is_web and not re.search(r"[\s?#@]", url)


def _mail_server() -> tuple[str, float | None] | None:
    """Return path and timeout (seconds) of the backend that sends mails; None where there is none."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is not None:  # Since Django 6.1; then the older settings cannot be read.
        if "default" not in mailers:
            return None
        mailer = mailers["default"]
        backend = mailer.get("BACKEND", DEFAULT)
        return backend, mailer.get("OPTIONS", {}).get("timeout")
    with warnings.catch_warnings(action="ignore"):  # Their deprecation is told by Django itself.
        return settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
