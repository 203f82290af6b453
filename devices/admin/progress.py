"""A page that is streamed while the work goes on, and shows its progress without JavaScript.

Each step is a paragraph further down the same page, and the style sheet shows the last one only.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from devices.core.staff.bulk_revocation import Revoked, Survey

from .columns import grouped, of_people

TEMPLATE = "admin/devices/devicesession/revoke_progress.html"
RESULT = "admin/devices/devicesession/revoke_result.html"
# Where in the page the steps go.
HERE = "<!-- steps -->"


def progress_of(
    request: HttpRequest, steps: Iterable[Revoked], survey: Survey, context: dict[str, Any]
) -> StreamingHttpResponse:
    """Stream the page that ends sessions, one line for each batch of `steps`."""
    page = render_to_string(TEMPLATE, {**context, "here": HERE}, request)
    head, _here, foot = page.partition(HERE)
    parts = _written(request, steps, survey, context, head, foot)
    # Under ASGI Django takes all parts of a plain iterator before it sends the first.
    is_asgi = isinstance(request, ASGIRequest)
    answer = StreamingHttpResponse(_one_by_one(parts) if is_asgi else parts)
    # Or nginx would keep the steps until the last one.
    answer["X-Accel-Buffering"] = "no"
    answer["Cache-Control"] = "no-store"
    return answer


def reach(sessions: int, people: int) -> str:
    """Return "3 sessions of 2 people", in the language of the request."""
    return _("%(sessions)s of %(people)s") % {
        "sessions": ngettext("%(n)s session", "%(n)s sessions", sessions)
        % {"n": grouped(sessions)},
        "people": of_people(people),
    }


async def _one_by_one(parts: Iterator[str]) -> AsyncIterator[str]:
    advance = sync_to_async(lambda: next(parts, ""))
    while part := await advance():
        yield part


def _written(
    request: HttpRequest,
    steps: Iterable[Revoked],
    survey: Survey,
    context: dict[str, Any],
    head: str,
    foot: str,
) -> Iterator[str]:
    yield head
    done = Revoked(0, 0, more=False)
    for done in steps:
        yield format_html(
            '<p class="step"><progress max="{}" value="{}"></progress> {}<br>{}</p>\n',
            max(survey.sessions, done.sessions),
            done.sessions,
            _("%(done)s of %(all)s")
            % {
                "done": grouped(done.sessions),
                "all": grouped(survey.sessions) + "+" * survey.more,
            },
            _("To stop it, leave this page: what has been revoked stays so."),
        )
    yield render_to_string(
        RESULT, {**context, "done": done, "reach": reach(done.sessions, done.people)}, request
    )
    yield foot
