#!/usr/bin/env bash
# django-oauth-toolkit: its decorators for views check a token without the class that OAUTH2_VALIDATOR_CLASS names.
#
# Guess: the setting says who validates a token, wherever one is: whoever refuses tokens of people who have left writes a
# validator, and is done.
# Seen: ProtectedResourceView, OAuth2Authentication and the middleware ask it. `protected_resource` and
# `rw_protected_resource` have the standard class as the default of their own argument, and let the token in.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    django-oauth-toolkit==3.4.1
cat > "$folder/refusing.py" <<'PYTHON'
from oauth2_provider.oauth2_validators import OAuth2Validator


class Refusing(OAuth2Validator):
    def validate_bearer_token(self, token, scopes, request):
        return False
PYTHON
PYTHONPATH=$folder "$folder/venv/bin/python" - <<'PYTHON'
from datetime import timedelta
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "oauth2_provider"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", "oauth2_provider.backends.OAuth2Backend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    OAUTH2_PROVIDER={"OAUTH2_VALIDATOR_CLASS": "refusing.Refusing"},
    USE_TZ=True,
    LOGGING_CONFIG=None,
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from oauth2_provider.decorators import protected_resource, rw_protected_resource
from oauth2_provider.middleware import OAuth2TokenMiddleware
from oauth2_provider.models import AccessToken
from oauth2_provider.views.generic import ProtectedResourceView
from refusing import Refusing

print("django-oauth-toolkit", version("django-oauth-toolkit"))
call_command("migrate", verbosity=0)
user = User.objects.create_user("alice")
AccessToken.objects.create(
    user=user, token="good", scope="read write", expires=timezone.now() + timedelta(hours=1)
)


def view(request):
    return HttpResponse()


class View(ProtectedResourceView):
    get = staticmethod(view)


def ask(view):
    request = RequestFactory().get("/", headers={"Authorization": "Bearer good"})
    return view(request).status_code


def by_middleware(request):
    OAuth2TokenMiddleware(view)(request)
    return HttpResponse(status=200 if getattr(request, "user", None) else 403)


def by_drf(request):
    return HttpResponse(status=200 if OAuth2Authentication().authenticate(request) else 403)


seen = {
    "ProtectedResourceView": ask(View.as_view()),
    "OAuth2TokenMiddleware": ask(by_middleware),
    "OAuth2Authentication": ask(by_drf),
    "protected_resource": ask(protected_resource()(view)),
    "rw_protected_resource": ask(rw_protected_resource()(view)),
    "protected_resource, validator_cls": ask(protected_resource(validator_cls=Refusing)(view)),
}
for name, status in seen.items():
    print(f"{name}: {status}")
assert list(seen.values()) == [403, 403, 403, 200, 200, 403], "the behaviour has changed"
PYTHON
