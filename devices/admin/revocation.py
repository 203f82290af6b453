"""Revoking sessions from the admin: an action with a confirmation page, which asks for a reason."""

import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from devices import admin_site
from devices.core.oversight import staff
from devices.models import DeviceSession, DeviceSessionQuerySet

from .columns import address, grouped, last_active, person, place, table
from .filters import PARAMETERS
from .progress import progress_of, reach

# How many of the sessions to be revoked the confirmation page shows.
SHOWN = 10
# More than these are revoked on a page that shows how far it is; for so long, as a worker may be held.
MANY = 1000
PATIENCE = timedelta(seconds=20)


class RevocationForm(forms.Form):
    required_css_class = "required"

    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("Kept in the log of each session, with your name."),
        widget=forms.Textarea({"rows": 3, "cols": 80, "class": "vLargeTextField"}),
    )
    # When the question was asked: what begins later was not part of it.
    asked_at = forms.DateTimeField(required=False)
    own = forms.BooleanField(label=gettext_lazy("Sign me out of this browser, too"), required=False)


class RevokesSessions(admin.ModelAdmin):
    actions = ("revoke",)
    guarded_actions = ("revoke",)

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
    def revoke(
        self, request: HttpRequest, queryset: DeviceSessionQuerySet
    ) -> HttpResponseBase | None:
        by = _staff(request)
        if not admin_site.is_confirmed(request):
            return admin_site.to_confirm(request)
        form = RevocationForm(request.POST if "note" in request.POST else None)
        is_confirmed = form.is_valid()
        asked_at = form.cleaned_data["asked_at"] if is_confirmed else None
        asked_at = asked_at or timezone.now()
        chosen = queryset.filter(created_at__lte=asked_at)
        spare = None if is_confirmed and form.cleaned_data["own"] else _current(request)
        survey = staff.survey(chosen, by=by, spare=spare)
        if not is_confirmed:
            return self._confirmation(request, chosen, survey, form, asked_at)
        note = form.cleaned_data["note"]
        if survey.sessions > MANY:
            steps = staff.revoking(chosen, by=by, note=note, spare=spare, patience=PATIENCE)
            context = {
                **self._context(request),
                "survey": survey,
                "remarks": _left_alone(survey),
                "form": form,
                "asked_at": asked_at,
            }
            return progress_of(request, steps, survey, context)
        done = staff.revoke(chosen, by=by, note=note, spare=spare)
        self._report(request, survey, done)
        return None

    def _confirmation(
        self,
        request: HttpRequest,
        chosen: DeviceSessionQuerySet,
        survey: staff.Survey,
        form: RevocationForm,
        asked_at: Any,
    ) -> HttpResponse:
        due = staff.permitted(chosen.active(), _staff(request))
        across = request.POST.get("select_across") == "1"
        context = {
            **self._context(request),
            "form": form,
            "survey": survey,
            "reach": reach(survey.sessions, survey.people),
            "remarks": _left_alone(survey),
            "is_everybody": across and not self._is_filtered(request),
            "is_many": survey.sessions > MANY,
            "table": table(
                due.exclude(pk__in=[_current(request)])[:SHOWN], person, address, place, last_active
            ),
            "asked_at": asked_at,
        }
        template = "admin/devices/devicesession/revoke_confirmation.html"
        return TemplateResponse(request, template, context)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "title": _("Revoke device sessions"),
            "opts": self.opts,
            "media": self.media,
            "select_across": int(request.POST.get("select_across") == "1"),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        }

    def _is_filtered(self, request: HttpRequest) -> bool:
        return bool(PARAMETERS & request.GET.keys() or request.GET.get(SEARCH_VAR, "").strip())

    def _report(self, request: HttpRequest, survey: staff.Survey, done: staff.Revoked) -> None:
        text = _("Revoked: %(reach)s.") % {"reach": reach(done.sessions, done.people)}
        level = messages.SUCCESS if done.sessions else messages.WARNING
        self.message_user(request, " ".join([text, *_left_alone(survey)]), level)
        if done.more:
            rest = _("There are more sessions to revoke. Do it again for the rest.")
            self.message_user(request, rest, messages.WARNING)


def _staff(request: HttpRequest) -> AbstractBaseUser:
    assert request.user.is_authenticated
    return request.user


def _current(request: HttpRequest) -> uuid.UUID | None:
    """The session that this browser is in, if the site knows those of browsers (`devices.web`)."""
    session: DeviceSession | None = getattr(request, "device_session", None)
    return session.pk if session else None


def _left_alone(survey: staff.Survey) -> list[str]:
    """Sentences on the chosen sessions that stay as they are."""
    ended = ngettext(
        "%(n)s session had ended already.", "%(n)s sessions had ended already.", survey.ended
    )
    protected = ngettext(
        "%(n)s session is of somebody with rights that you have not, and stays.",
        "%(n)s sessions are of people with rights that you have not, and stay.",
        survey.protected,
    )
    remarks = [
        sentence % {"n": grouped(n) + "+" * (n == staff.COUNTED)}
        for n, sentence in ((survey.ended, ended), (survey.protected, protected))
        if n
    ]
    if survey.spared:
        remarks.append(_("The session you are in just now stays."))
    return remarks
