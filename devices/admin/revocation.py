"""Revoking sessions from the admin: an action with a confirmation page, which asks for a reason."""

import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from devices import admin_site
from devices.core import database
from devices.core.notifications.reasons import country
from devices.core.staff import bulk_revocation
from devices.models import DeviceSession, DeviceSessionQuerySet

from .columns import address, grouped, last_active, person, place, table
from .filters import is_narrowed
from .progress import progress_of, reach
from .read_only import BoundedPaginator

# How many of the sessions to be revoked a page of the preview shows.
SHOWN = 10
# More than these are revoked on a page that shows how far it is; for so long, as a worker may be held.
MANY = 1000
PATIENCE = timedelta(seconds=20)


# What says which sessions were chosen in the list; and where it waits for a proof.
CHOICE = ("action", "index", "select_across", ACTION_CHECKBOX_NAME)
CHOSEN = "devices_admin_chosen"


class RevocationForm(forms.Form):
    """Asks for the reason before sessions are ended."""

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
    """Adds the action that ends the selected sessions."""

    actions = ("revoke",)
    guarded_actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to revoke sessions."""
        return request.user.has_perm("devices.revoke_devicesession")

    def may_revoke(self, request: HttpRequest, session: DeviceSession) -> bool:
        """Return whether the session is active and its owner has no permission that the user lacks."""
        chosen = DeviceSession.objects.filter(pk=session.pk).active()
        return (
            self.has_revoke_permission(request)
            and bulk_revocation.permitted(chosen, _staff(request)).exists()
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
        """Ask for a recent proof and a reason, then end the selected sessions."""
        by = _staff(request)
        if not admin_site.is_confirmed(request):
            return self.ask_for_proof(request)
        # To turn a page of the preview confirms nothing, whatever is in the form by then.
        is_sent = "note" in request.POST and "page" not in request.POST
        form = RevocationForm(
            request.POST if is_sent else None, initial={"note": request.POST.get("note", "")}
        )
        is_confirmed = form.is_valid()
        asked_at = _asked_at(request) or timezone.now()
        chosen = queryset.filter(created_at__lte=asked_at)
        spare = None if is_confirmed and form.cleaned_data["own"] else _current(request)
        survey = bulk_revocation.survey(chosen, by=by, spare=spare)
        if not is_confirmed:
            return self._confirmation(request, chosen, survey, form, asked_at)
        note = form.cleaned_data["note"]
        if survey.sessions > MANY:
            steps = bulk_revocation.revoking(
                chosen, by=by, note=note, spare=spare, patience=PATIENCE
            )
            context = {
                **self._context(request),
                "survey": survey,
                "remarks": _left_alone(survey),
                "form": form,
                "asked_at": asked_at,
            }
            return progress_of(request, steps, survey, context)
        done = bulk_revocation.revoke(chosen, by=by, note=note, spare=spare)
        self._report(request, survey, done)
        return to_incident(done) if done.sessions and not done.more else None

    def ask_for_proof(self, request: HttpRequest) -> HttpResponse:
        """To the proof that is asked for. What was chosen is asked about when they come back with it."""
        if "revoke" in request.POST.getlist("action"):
            chosen = {name: request.POST.getlist(name) for name in CHOICE if name in request.POST}
            request.session[CHOSEN] = {"path": request.get_full_path(), "post": chosen}
        return admin_site.to_confirm(request)

    def take_up(self, request: HttpRequest) -> bool:
        """Whether somebody who looks at the list chose sessions in it before they proved who they are.

        Then the request becomes the one that asks about these. It revokes nothing: no reason is in it.
        """
        if request.method != "GET" or CHOSEN not in request.session:
            return False
        chosen = request.session.pop(CHOSEN)
        if chosen["path"] != request.get_full_path() or not admin_site.is_confirmed(request):
            return False
        post = QueryDict(mutable=True)
        for name, values in chosen["post"].items():
            post.setlist(name, values)
        request.method, request.POST = "POST", post  # type: ignore[assignment]
        return True

    def _confirmation(
        self,
        request: HttpRequest,
        chosen: DeviceSessionQuerySet,
        survey: bulk_revocation.Survey,
        form: RevocationForm,
        asked_at: Any,
    ) -> HttpResponse:
        due = bulk_revocation.permitted(chosen.active(), _staff(request))
        due = due.exclude(pk__in=[_current(request)])
        page = BoundedPaginator(due, SHOWN).get_page(request.POST.get("page"))
        across = request.POST.get("select_across") == "1"
        context = {
            **self._context(request),
            "form": form,
            "survey": survey,
            "reach": reach(survey.sessions, survey.people),
            "remarks": _left_alone(survey),
            "is_everybody": across and not self.is_filtered(request),
            # Of a set that is not even counted to its end, nobody waits for it.
            "parts": [] if survey.more else self._parts(request, chosen, survey),
            "is_many": survey.sessions > MANY,
            "page": page,
            "table": table(page, person, address, place, last_active),
            "asked_at": asked_at,
        }
        template = "admin/devices/devicesession/revoke_confirmation.html"
        return TemplateResponse(request, template, context)

    def _parts(
        self, request: HttpRequest, chosen: DeviceSessionQuerySet, survey: bulk_revocation.Survey
    ) -> list[tuple[str, str]]:
        """What is to be revoked, by country, device and user, as text."""
        by, spare = _staff(request), _current(request)
        frequent = bulk_revocation.breakdown(chosen, by=by, spare=spare)
        named = {
            _("Countries"): [
                (country(code) if code else _("Unknown"), n) for code, n in frequent["country"]
            ],
            _("Devices"): frequent["device"],
            _("People"): frequent["user"],
        }
        for values in named.values():
            if others := survey.sessions - sum(n for _name, n in values):
                values.append((_("Others"), others))
        return [
            (title, ", ".join(f"\u2068{name}\u2069 ({grouped(n)})" for name, n in values))
            for title, values in named.items()
            if values
        ]

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

    def is_filtered(self, request: HttpRequest) -> bool:
        """Say whether the list shows a part of the sessions, by a filter or a search."""
        given = request.GET.dict()
        return is_narrowed(given) or bool(given.get(SEARCH_VAR, "").strip())

    def _report(
        self, request: HttpRequest, survey: bulk_revocation.Survey, done: bulk_revocation.Revoked
    ) -> None:
        text = _("Revoked: %(reach)s.") % {"reach": reach(done.sessions, done.people)}
        level = messages.SUCCESS if done.sessions else messages.WARNING
        self.message_user(request, " ".join([text, *_left_alone(survey)]), level)
        if done.more:
            rest = _("There are more sessions to revoke. Do it again for the rest.")
            self.message_user(request, rest, messages.WARNING)


def to_incident(done: bulk_revocation.Revoked) -> HttpResponse:
    """To the lines of the log of all that was ended."""
    lines = reverse("admin:devices_activity_changelist")
    return HttpResponseRedirect(f"{lines}?{urlencode({'incident': done.incident})}")


def _staff(request: HttpRequest) -> AbstractBaseUser:
    assert request.user.is_authenticated
    return request.user


def _current(request: HttpRequest) -> uuid.UUID | None:
    """The session that this browser is in, if the site knows those of browsers (`devices.web`)."""
    session: DeviceSession | None = getattr(request, "device_session", None)
    return session.pk if session else None


def _asked_at(request: HttpRequest) -> Any:
    """When the preview was made, as its form says; None if this is none of its forms."""
    try:
        asked_at = RevocationForm.base_fields["asked_at"].clean(request.POST.get("asked_at"))
        return asked_at and database.in_utc(asked_at)
    except (ValidationError, OverflowError):
        return None


def _left_alone(survey: bulk_revocation.Survey) -> list[str]:
    """Sentences on the chosen sessions that stay as they are."""
    ended = ngettext(
        "%(n)s session had ended already.", "%(n)s sessions had ended already.", survey.ended
    )
    protected = ngettext(
        "%(n)s session is of somebody with permissions that you do not have, and stays.",
        "%(n)s sessions are of people with permissions that you do not have, and stay.",
        survey.protected,
    )
    remarks = [
        sentence % {"n": grouped(n) + "+" * (n == bulk_revocation.COUNTED)}
        for n, sentence in ((survey.ended, ended), (survey.protected, protected))
        if n
    ]
    if survey.spared:
        remarks.append(_("The session you are in just now stays."))
    return remarks
