"""Whether the app's templates can be found and show all that they say: TEMPLATES."""

from collections.abc import Iterator
from typing import Any, Final

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.template import TemplateDoesNotExist
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template

from devices.core.notifications import outbox

from .urls import serves

PAGE: Final = "devices/devices.html"
MAIL: Final = "devices/mail/notice.txt"
MESSAGES: Final = "django.contrib.messages.context_processors.messages"


def check() -> Iterator[CheckMessage]:
    """Check that pages and e-mails can be rendered, as far as this project has them."""
    has_pages = serves("devices.web.")
    needed = {PAGE: has_pages, MAIL: bool(outbox.address_field())}
    if missing := [name for name, is_needed in needed.items() if is_needed and not _exists(name)]:
        yield Error(
            f"The templates of devices cannot be found ({', '.join(missing)}): pages are answered with 500, "
            "and no e-mail about an unusual sign-in is sent.",
            hint="Set 'APP_DIRS': True for DjangoTemplates in TEMPLATES, or add the loader app_directories.",
            id="devices.E064",
        )
    elif has_pages and not _shows_messages():
        yield checks.Warning(
            "The pages of devices.web.urls do not tell what a button has done.",
            hint=f"Add {MESSAGES} to 'context_processors' in TEMPLATES.",
            id="devices.W065",
        )


def _exists(name: str) -> bool:
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return False
    return True


def _shows_messages() -> bool:
    """Whether the engine that renders the pages knows the messages."""
    template: Any = get_template(PAGE)
    backend = template.backend
    return not isinstance(backend, DjangoTemplates) or MESSAGES in backend.engine.context_processors
