"""Revoking sessions from the admin: an action with a confirmation page, which asks for a reason."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from devices.core import staff
from devices.models import DeviceSession, DeviceSessionQuerySet

from .columns import address, last_active, person, place, table
from .filters import PARAMETERS

# How many of the sessions to be revoked the confirmation page shows.
SHOWN = 10


class RevocationForm(forms.Form):
    required_css_class = "required"

    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("Kept in the log of each session, with your name."),
        widget=forms.Textarea({"rows": 3, "cols": 80, "class": "vLargeTextField"}),
    )


class RevokesSessions(admin.ModelAdmin):
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("devices.revoke_devicesession")

    def may_revoke(self, request: HttpRequest, session: DeviceSession) -> bool:
        chosen = DeviceSession.objects.filter(pk=session.pk).active()
        return (
            self.has_revoke_permission(request)
            and staff.permitted(chosen, _staff(request)).exists()
        )

    def response_action(
        self, request: HttpRequest, queryset: QuerySet, *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            for pk in request.POST.getlist(ACTION_CHECKBOX_NAME):
                uuid.UUID(pk)
        except ValueError as error:
            raise BadRequest("There is no such session.") from error
        return super().response_action(request, queryset, *args, **kwargs)

    @admin.action(
        permissions=["revoke"],
        description=gettext_lazy("Revoke selected %(verbose_name_plural)s"),
    )
    def revoke(self, request: HttpRequest, queryset: DeviceSessionQuerySet) -> HttpResponse | None:
        form = RevocationForm(request.POST if "note" in request.POST else None)
        survey = staff.survey(queryset, by=_staff(request))
        if not form.is_valid():
            return self._confirmation(request, queryset, survey, form)
        revoked = staff.revoke(queryset, by=_staff(request), note=form.cleaned_data["note"])
        self._report(request, survey, revoked)
        return None

    def _confirmation(
        self,
        request: HttpRequest,
        queryset: DeviceSessionQuerySet,
        survey: staff.Survey,
        form: RevocationForm,
    ) -> HttpResponse:
        due = staff.permitted(queryset.active(), _staff(request))
        across = request.POST.get("select_across") == "1"
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revoke device sessions"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "survey": survey,
            "reach": _reach(survey.sessions, survey.people),
            "remarks": _left_alone(survey),
            "is_everybody": across and not self._is_filtered(request),
            "table": table(due[:SHOWN], person, address, place, last_active),
            "select_across": int(across),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        }
        request.current_app = self.admin_site.name
        template = "admin/devices/devicesession/revoke_confirmation.html"
        return TemplateResponse(request, template, context)

    def _is_filtered(self, request: HttpRequest) -> bool:
        return bool(PARAMETERS & request.GET.keys() or request.GET.get(SEARCH_VAR, "").strip())

    def _report(self, request: HttpRequest, survey: staff.Survey, revoked: staff.Revoked) -> None:
        done = _("Revoked: %(reach)s.") % {"reach": _reach(revoked.sessions, revoked.people)}
        level = messages.SUCCESS if revoked.sessions else messages.WARNING
        self.message_user(request, " ".join([done, *_left_alone(survey)]), level)
        if survey.more:
            rest = _("There are more sessions to revoke. Do it again for the rest.")
            self.message_user(request, rest, messages.WARNING)


def _staff(request: HttpRequest) -> AbstractBaseUser:
    assert request.user.is_authenticated
    return request.user


def _reach(sessions: int, people: int) -> str:
    return _("%(sessions)s of %(people)s") % {
        "sessions": ngettext("%(n)s session", "%(n)s sessions", sessions) % {"n": sessions},
        "people": ngettext("%(n)s person", "%(n)s people", people) % {"n": people},
    }


def _left_alone(survey: staff.Survey) -> list[str]:
    """Sentences on the chosen sessions that stay as they are."""
    ended = ngettext(
        "%(n)s session had ended already.", "%(n)s sessions had ended already.", survey.ended
    )
    protected = ngettext(
        "%(n)s session is a superuser’s, which only superusers may revoke.",
        "%(n)s sessions are superusers’, which only superusers may revoke.",
        survey.protected,
    )
    return [
        sentence % {"n": f"{n}+" if n == staff.AT_ONCE else n}
        for n, sentence in ((survey.ended, ended), (survey.protected, protected))
        if n
    ]
