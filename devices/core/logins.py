"""What people sign in with: USERNAME_FIELD of the user model, a text, a number or a row of another table."""

import unicodedata
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import router
from django.db.models import CharField, Q, TextField


def username_of(user: AbstractBaseUser) -> str:
    """Return the login of a user as text."""
    field: Any = user._meta.get_field(get_user_model().USERNAME_FIELD)
    return str(field.value_from_object(user))


def folded(login: str) -> str:
    """Return a login that is nobody's here in one spelling: a directory ignores blanks and wide letters."""
    return " ".join(unicodedata.normalize("NFKC", login).split())


def find(login: str) -> AbstractBaseUser | None:
    """The user who signs in with this, where users are written; None if there is none."""
    model = get_user_model()
    manager: Any = model._default_manager.db_manager(router.db_for_write(model))
    try:
        user: AbstractBaseUser = manager.get_by_natural_key(login)
    except ObjectDoesNotExist:
        return None
    return user


def match(name: str, lookup: str, text: str, prefix: str = "") -> Q:
    """Return what selects users by a field that people are named by, such as their login.

    A text is compared by `lookup`, such as "iexact". Anything else has to be equal; a text that cannot be a
    value of the field is nobody's. `prefix` leads to the user, such as "user__".
    """
    field: Any = get_user_model()._meta.get_field(name)
    if isinstance(field, CharField | TextField):
        return Q(**{f"{prefix}{name}__{lookup}": text})
    compared = field.target_field if field.is_relation else field
    try:
        value = compared.to_python(text)
        compared.run_validators(value)
    except ValidationError:
        return Q(pk__in=())
    return Q(**{f"{prefix}{name}": value})


def named(username: str) -> Q:
    """Return what selects users by their login, in capitals or not."""
    return match(get_user_model().USERNAME_FIELD, "iexact", username)
