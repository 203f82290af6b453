"""A page that is sent while the work goes on, and shows how far it is; without a line of script.

Each step is a paragraph further down the same page, and the style sheet shows the last one only.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from devices.core.oversight.staff import Revoked, Survey

from .columns import grouped, of_people

TEMPLATE = "admin/devices/devicesession/revoke_progress.html"
RESULT = "admin/devices/devicesession/revoke_result.html"
# Where in the page the steps go.
HERE = "<!-- steps -->"


def progress_of(
    request: HttpRequest, steps: Iterable[Revoked], survey: Survey, context: dict[str, Any]
) -> StreamingHttpResponse:
    page = render_to_string(TEMPLATE, {**context, "here": HERE}, request)
    head, _here, foot = page.partition(HERE)
    answer = StreamingHttpResponse(_written(request, steps, survey, context, head, foot))
    # Or nginx would keep the steps until the last one.
    answer["X-Accel-Buffering"] = "no"
    answer["Cache-Control"] = "no-store"
    return answer


def reach(sessions: int, people: int) -> str:
    return _("%(sessions)s of %(people)s") % {
        "sessions": ngettext("%(n)s session", "%(n)s sessions", sessions)
        % {"n": grouped(sessions)},
        "people": of_people(people),
    }


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
