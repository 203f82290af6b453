#!/usr/bin/env bash
# django-unfold: beside it Django ignores the admin site that a project has chosen.
#
# Guess: `default_site` of an AdminConfig, which is Django's documented way to choose the class of the admin, holds whatever
# theme is installed; or the theme, or a check, says that it does not.
# Seen: "unfold" in INSTALLED_APPS puts a site of its own into `django.contrib.admin.site` when it is ready. What the
# project's class does, such as limiting who may act on whom, is not called any more, and nothing reports it. With
# "unfold.apps.BasicAppConfig" in its place, and a class derived from both, it is called.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 django-unfold==0.91.0
cd "$folder"
mkdir shop
: > shop/__init__.py
cat > shop/sites.py <<'PYTHON'
from django.contrib.admin import AdminSite
from unfold.sites import UnfoldAdminSite

asked = []


class ShopSite(AdminSite):
    def has_permission(self, request):
        asked.append(request.path)
        return super().has_permission(request)


class Both(ShopSite, UnfoldAdminSite):
    pass
PYTHON
cat > shop/apps.py <<'PYTHON'
from django.contrib.admin.apps import AdminConfig


class Chosen(AdminConfig):
    default_site = "shop.sites.ShopSite"


class ChosenBoth(AdminConfig):
    default_site = "shop.sites.Both"
PYTHON
cat > ask.py <<'PYTHON'
import sys
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        *sys.argv[1:], "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
        "django.contrib.messages", "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    STATIC_URL="static/",
    USE_TZ=True,
)
django.setup()

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.urls import path
from shop.sites import asked

urlpatterns = [path("admin/", admin.site.urls)]
call_command("migrate", verbosity=0)
browser = Client()
browser.force_login(User.objects.create_superuser("root"))
answer = browser.get("/admin/auth/user/")
assert answer.status_code == 200, answer
assert run_checks() == [], run_checks()
print("Django", django.__version__, "django-unfold", version("django-unfold"), ":", *sys.argv[1:])
print("the project's class is asked:", bool(asked))
PYTHON
said=()
for apps in "shop.apps.Chosen" "unfold shop.apps.Chosen" "unfold.apps.BasicAppConfig shop.apps.ChosenBoth"; do
    out=$("$folder/venv/bin/python" ask.py $apps)
    echo "$out"
    said+=("$(tail -n 1 <<< "$out" | grep -o '[^ ]*$')")
done
[ "${said[*]}" = "True False True" ] || { echo "the behaviour has changed"; exit 1; }
echo "As seen: with the theme the project's own admin site is not used."
