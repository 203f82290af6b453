#!/usr/bin/env bash
# Django: a user model whose login is a number, or refers to another table, signs in, and fails around that.
#
# Guess: USERNAME_FIELD may be any unique field, as the documentation has it, and `createsuperuser` takes a foreign key on
# purpose. So the admin works, and a wrong login is a wrong login.
# Seen: with a foreign key `createsuperuser` and `authenticate` work; the user has no text, since AbstractBaseUser's
# `__str__` returns the row that the key refers to, and whatever shows the user raises TypeError, such as the user's page
# in the admin.
# With an IntegerField a login that is no number raises ValueError in ModelBackend, so that the login form of the admin
# answers 500 instead of "Please enter the correct number and password".
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
mkdir "$folder/people"
touch "$folder/people/__init__.py"
cat > "$folder/people/models.py" <<'PYTHON'
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Card(models.Model):
    code = models.CharField(max_length=20, primary_key=True)


class People(BaseUserManager):
    def create_superuser(self, **fields):
        password = fields.pop("password")
        if "card" in fields:
            # createsuperuser hands on what was typed.
            fields["card_id"] = fields.pop("card")
        user = self.model(is_staff=True, is_superuser=True, **fields)
        user.set_password(password)
        user.save()
        return user


class Person(AbstractBaseUser, PermissionsMixin):
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    objects = People()

    class Meta:
        abstract = True


class Holder(Person):
    card = models.OneToOneField(Card, on_delete=models.CASCADE)
    groups = user_permissions = None
    USERNAME_FIELD = "card"


class Member(Person):
    number = models.IntegerField(unique=True)
    groups = user_permissions = None
    USERNAME_FIELD = "number"
PYTHON
cat > "$folder/try.py" <<'PYTHON'
import sys

import django
from django.conf import settings

model = sys.argv[1]
settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    AUTH_USER_MODEL=f"people.{model}",
    SILENCED_SYSTEM_CHECKS=["fields.E304", "fields.E305"],
    INSTALLED_APPS=[
        "people", "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
        "django.contrib.messages", "django.contrib.admin",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    STATIC_URL="/static/",
)
django.setup()

import os

from django.contrib import admin
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.test import Client
from django.urls import path
from people.models import Card, Holder

admin.site.register(Holder)
urlpatterns = [path("admin/", admin.site.urls)]
PASSWORD = "a long password of nobody"
os.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
call_command("migrate", run_syncdb=True, verbosity=0)


def attempt(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if model == "Holder":
    Card.objects.create(code="A49")
    call_command("createsuperuser", interactive=False, card="A49", verbosity=0)
    user = authenticate(card="A49", password=PASSWORD)
    browser = Client()
    browser.force_login(user)
    page = f"/admin/people/holder/{user.pk}/change/"
    seen = [attempt(lambda: str(user)), attempt(lambda: browser.get(page).status_code)]
    print("a foreign key:", "signed in by card", user.card_id, seen)
    assert all(each.startswith("TypeError: __str__ returned non-string") for each in seen), seen
else:
    call_command("createsuperuser", interactive=False, number=49, verbosity=0)
    form = {"username": "alice", "password": PASSWORD}
    seen = attempt(lambda: Client().post("/admin/login/", form).status_code)
    print("a number:", "signed in by", authenticate(number="49", password=PASSWORD).number, [seen])
    assert seen.startswith("ValueError: Field 'number' expected a number"), seen
PYTHON
"$folder/venv/bin/python" -c "import django; print('Django', django.__version__)"
for model in Holder Member; do (cd "$folder" && venv/bin/python -W ignore try.py "$model"); done
echo "As seen: the login works, and what shows it or misses it raises."
