"""Guards the admin: staff cannot act on users above them, and writing needs a recent confirmation.

Otherwise staff who may change users could set the superuser's password, and staff who may change e-mail
addresses could give the superuser one of their own and reset the password there. So every model that gives
access to an account has the same rule as ending sessions, whichever app registers it.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import REDIRECT_FIELD_NAME, get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group, Permission, PermissionsMixin
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from devices.http import get_session

from .core import step_up
from .core.staff import bulk_revocation

# As many foreign keys away from an account is still a way to it: a token of an account elsewhere, say.
FAR: Final = 3
# What makes a user more than they are.
RIGHTS: Final = ("is_superuser", "is_staff", "groups", "user_permissions")
SAFE: Final = ("GET", "HEAD", "OPTIONS")


class AccountGuard(admin.ModelAdmin):
    """What `GuardedAdminSite` puts before every ModelAdmin.

    - Rows of people with a right that the asker has not are not changed or deleted, nor given to them.
    - Rights are given by superusers only: groups, permissions, and who is staff.
    """

    # What a ModelAdmin may say; no defaults, which would stand before its own.
    # Lookups from its model to the users whose rows these are; else along every foreign key. One whose rows
    # merely mention users (the author of an article) says `()`.
    people: ClassVar[tuple[str, ...]]
    # Actions that ask by themselves whom the asker reaches.
    guarded_actions: ClassVar[tuple[str, ...]]
    # How it sends somebody to the proof, if it keeps what they were about to do; `to_confirm` otherwise.
    ask_for_proof: ClassVar[Callable[..., HttpResponse]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not self._is_for_superusers(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_in_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_in_reach(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if not _is_person(self.model) or _is_superuser(request):
            return fields
        names = {field.name for field in self.model._meta.get_fields()}
        return (*fields, *(name for name in RIGHTS if name in names and name not in fields))

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        target = db_field.remote_field.model
        if db_field.name in self._people() and _is_person(target) and not _is_superuser(request):
            among = kwargs.get("queryset")
            among = target._default_manager.all() if among is None else among
            kwargs["queryset"] = bulk_revocation.within_reach(among, _asker(request), "")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet, *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        if not self._may_act(request, queryset):
            text = _(
                "Some of these belong to users with permissions that you do not have. Nothing was done."
            )
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        _check(request, obj, self._people(), form.changed_data)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        people = ways_to_people(formset.model)
        deleted = getattr(formset, "deleted_forms", [])
        for each in formset.forms:
            if each.has_changed() or each in deleted:
                _check(request, each.instance, people, each.changed_data)
        super().save_formset(request, form, formset, change)

    def leads_to_people(self, request: HttpRequest) -> bool:
        """Whether something that is written here reaches an account; by a row of an inline, too."""
        inlines = (inline.model for inline in self.get_inline_instances(request))
        return bool(
            self._people()
            or _gives_rights(self.model)
            or any(ways_to_people(model) or _gives_rights(model) for model in inlines)
        )

    def _people(self) -> tuple[str, ...]:
        people: tuple[str, ...] | None = getattr(self, "people", None)
        return ways_to_people(self.model) if people is None else people

    def _is_for_superusers(self, request: HttpRequest) -> bool:
        return _gives_rights(self.model) and not _is_superuser(request)

    def _is_in_reach(self, request: HttpRequest, obj: Any) -> bool:
        if self._is_for_superusers(request):
            return False
        return obj is None or _is_in_reach(request, obj, self._people())

    def _may_act(self, request: HttpRequest, queryset: QuerySet) -> bool:
        # Django's own asks `has_delete_permission` of each row.
        guarded = {"", "delete_selected", *getattr(self, "guarded_actions", ())}
        asked = set(request.POST.getlist("action")) - guarded
        if not asked or _is_superuser(request):
            return True
        if _gives_rights(self.model):
            return False
        if request.POST.get("select_across") != "1":
            queryset = queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
        rows = self.model._base_manager.filter(pk__in=queryset.order_by().values("pk"))
        return not any(
            bulk_revocation.out_of_reach(rows, _asker(request), person).exists()
            for person in self._people()
        )


class GuardedAdminSite(admin.AdminSite):
    """Django's admin with `AccountGuard` before every ModelAdmin that is registered, also by other apps."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        own = admin_class or admin.ModelAdmin
        if not issubclass(own, AccountGuard):
            own = type(own.__name__, (AccountGuard, own), {"__module__": own.__module__})
        super().register(model_or_iterable, own, **options)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        model_admin = getattr(view, "__self__", None)
        if not isinstance(model_admin, AccountGuard):
            return super().admin_view(view, cacheable)

        @wraps(view)
        def proved(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            writes = request.method not in SAFE and model_admin.leads_to_people(request)
            if writes and not is_confirmed(request):
                return getattr(model_admin, "ask_for_proof", to_confirm)(request)
            return view(request, *args, **kwargs)

        return super().admin_view(proved, cacheable)


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the user has confirmed recently who they are. False without DeviceMiddleware."""
    session = get_session(request)
    return session is not None and step_up.missing_proof(session) is None


def to_confirm(request: HttpRequest) -> HttpResponse:
    """Redirect to the confirmation, and back. The form and the selection are lost, and sent again."""
    query = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
    try:
        page = reverse("devices:confirm")
    except NoReverseMatch:
        page = reverse("admin:login")
    return HttpResponseRedirect(f"{page}?{query}")


def ways_to_people(model: type[Model]) -> tuple[str, ...]:
    """The lookups along foreign keys that lead from a model to users; "" if it is that of users."""
    return tuple(_ways(model, FAR))


def _ways(model: type[Model], far: int) -> Iterator[str]:
    if _is_person(model):
        yield ""
        return
    for field in model._meta.concrete_fields:
        target = field.related_model
        if far and isinstance(field, ForeignKey) and isinstance(target, type):
            for way in _ways(target, far - 1):
                yield f"{field.name}__{way}" if way else field.name


def _is_person(model: Any) -> bool:
    return issubclass(model._meta.concrete_model, get_user_model()._meta.concrete_model)  # type: ignore[arg-type]


def _gives_rights(model: type[Model]) -> bool:
    """Whether its rows grant rights: groups, permissions, and who has them."""
    people: Any = get_user_model()
    given: set[Any] = {Group, Permission, Group.permissions.through}
    if issubclass(people, PermissionsMixin):
        given |= {people.groups.through, people.user_permissions.through}
    return model._meta.concrete_model in given


def _asker(request: HttpRequest) -> AbstractBaseUser:
    assert request.user.is_authenticated
    return request.user


def _is_superuser(request: HttpRequest) -> bool:
    # A user model without rights of Django's has none to protect.
    return bool(getattr(request.user, "is_superuser", True))


def _is_in_reach(request: HttpRequest, obj: Model, ways: Iterable[str]) -> bool:
    keys = {key for way in ways for key in _keys(obj, way)}
    if not keys or _is_superuser(request):
        return True
    # Asked for each row that goes with an account; within a request the answer is the same.
    known: dict[Any, bool] = request.__dict__.setdefault("_devices_in_reach", {})
    for key in keys - known.keys():
        known[key] = bulk_revocation.reaches(_asker(request), key)
    return all(known[key] for key in keys)


def _keys(obj: Any, way: str) -> Iterator[Any]:
    """The keys of the users that a way leads to from a row, which may not be saved yet."""
    *steps, last = way.split("__") if way else [""]
    for step in steps:
        obj = getattr(obj, step, None)
        if obj is None:
            return
    key = getattr(obj, obj._meta.get_field(last).attname) if last else obj.pk
    if key is not None:
        yield key


def _check(request: HttpRequest, obj: Any, ways: tuple[str, ...], changed: Iterable[str]) -> None:
    """Raises PermissionDenied for what is written in spite of the forms: by a field or form of its own."""
    rows = [obj]
    if obj.pk is not None:
        # Whose it was before.
        rows += type(obj)._base_manager.filter(pk=obj.pk)
    within = partial(_is_in_reach, request, ways=ways)
    gives = _gives_rights(type(obj)) or (_is_person(type(obj)) and {*RIGHTS} & {*changed})
    if not all(map(within, rows)) or (gives and not _is_superuser(request)):
        raise PermissionDenied
