#!/usr/bin/env bash
# Django: after a new SECRET_KEY, a page that sends two requests at once signs the person out, with a fallback, too.
#
# Guess: with the old key in SECRET_KEY_FALLBACKS a new key is not noticed by who is signed in. Their sessions get a
# hash by the new key at the next request.
# Seen: with that hash the session gets a new cookie, and its row of before is deleted. A second request that the page
# has sent meanwhile, still with the cookie of before, finds nobody, and its answer deletes the cookie. That comes after
# the answer of the first and wins, so that the browser is signed out. The session stays in the table; nobody has its
# key. Sessions in signed cookies are not affected, as they have no key.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
"$folder/venv/bin/python" - <<'PYTHON'
import django
from django.conf import settings

OLD, NEW = (f"the {age} key of this script, which is of no use elsewhere" for age in ("old", "new"))
settings.configure(
    SECRET_KEY=OLD,
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path


def who(request):
    return HttpResponse(request.user.username or "nobody")


urlpatterns = [path("who", who)]
call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice")


def name(answer):
    return answer.content.decode()


def at_once(browser):
    """Two requests that leave the browser before it has an answer; it takes their cookies in turn."""
    answers = []
    for _ in range(2):
        wire = Client()
        wire.cookies.load({key: cookie.value for key, cookie in browser.cookies.items()})
        answers.append(wire.get("/who"))
    for answer in answers:
        browser.cookies.update(answer.cookies)
    return [name(answer) for answer in answers]


def seen(engine):
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
        browser = Client()
        browser.force_login(alice)
        before = at_once(browser)
        with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD]):
            answers = [*before, *at_once(browser), name(browser.get("/who"))]
    print(f"{engine}, before: {answers[:2]}, with the new key: {answers[2:4]}, afterwards: {answers[4]}")
    return answers


print("Django", django.__version__)
rows, cookies = seen("db"), seen("signed_cookies")
assert rows == ["alice"] * 3 + ["nobody"] * 2, "the behaviour has changed"
assert Session.objects.count() == 1, "the behaviour has changed"
assert cookies == ["alice"] * 5, "the behaviour has changed"
print("As seen: two requests at once end a session in the table.")
PYTHON
