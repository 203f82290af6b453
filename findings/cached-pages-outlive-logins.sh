#!/usr/bin/env bash
# Django's caches of pages: what a person was shown is shown again to a browser that is not signed in any more, and by
# cache_page to other people, too.
#
# Guess: a page that reads `request.user` says `Vary: Cookie`, so it is stored for that cookie; and a cookie whose session
# was deleted is nobody's.
# Seen: SessionMiddleware adds `Vary: Cookie` after the view. A decorator `cache_page`, also around `login_required`, has
# stored the page by then, under the address alone, and shows alice's to bob. The middleware for the whole site knows the
# cookie. Both answer before anybody asks whether its session is still there: ten minutes by default.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19
"$folder/venv/bin/python" - <<'PYTHON'
import django
from django.conf import settings

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=MIDDLEWARE,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.decorators.cache import cache_page


@login_required
def mine(request):
    return HttpResponse(request.user.username)


urlpatterns = [path("plain", mine), path("decorated", cache_page(600)(mine))]
call_command("migrate", verbosity=0)
alice, bob = (User.objects.create_user(name) for name in ("alice", "bob"))


def seen(page):
    """What alice sees, what bob sees next, and what alice's browser sees once her session is deleted."""
    cache.clear()
    browsers = Client(), Client()
    for browser, user in zip(browsers, (alice, bob)):
        browser.force_login(user)
    shown = [browser.get(page).content.decode() for browser in browsers]
    Session.objects.all().delete()
    answer = browsers[0].get(page)
    return [*shown, answer.content.decode() or answer.status_code]


print("Django", django.__version__)
whole = [
    "django.middleware.cache.UpdateCacheMiddleware",
    *MIDDLEWARE,
    "django.middleware.cache.FetchFromCacheMiddleware",
]
plain, decorated = seen("/plain"), seen("/decorated")
with override_settings(MIDDLEWARE=whole):
    site = seen("/plain")
print("                                 alice   bob     alice, without a session")
print("no cache:                       ", *plain)
print("cache_page:                     ", *decorated)
print("the middleware of a whole site: ", *site)
assert plain == ["alice", "bob", 302], "the behaviour has changed"
assert decorated == ["alice", "alice", "alice"], "the behaviour has changed"
assert site == ["alice", "bob", "alice"], "the behaviour has changed"
print("As seen: cached pages ask nobody who they are.")
PYTHON
