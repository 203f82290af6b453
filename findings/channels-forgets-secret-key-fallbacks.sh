#!/usr/bin/env bash
# Channels: after a new SECRET_KEY, a page's WebSocket signs the person out, although the old key is a fallback.
#
# Guess: with the old key in SECRET_KEY_FALLBACKS everybody stays signed in, on pages and on sockets.
# Seen: Django's pages try the fallbacks. Channels' AuthMiddlewareStack compares with the new key only, and deletes the
# session where that fails. The restart that brings the new key cuts all sockets, and pages open theirs again by
# themselves: each person whose socket is there before their next page is signed out of the pages, too. If the page
# comes first, Django stores a hash by the new key, and the socket finds the person.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 channels==4.3.2 daphne==4.2.3
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import sys
from importlib.metadata import version

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
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{sys.argv[1]}/db"}},
)
django.setup()

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path


class Who(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(self.scope["user"].username or "nobody")


def who(request):
    return HttpResponse(request.user.username or "nobody")


urlpatterns = [path("who", who)]
call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice")


def page(browser):
    return browser.get("/who").content.decode()


def socket(browser):
    async def ask():
        headers = [(b"cookie", f"sessionid={browser.cookies['sessionid'].value}".encode())]
        one = WebsocketCommunicator(AuthMiddlewareStack(Who.as_asgi()), "/", headers=headers)
        await one.connect()
        answer = await one.receive_from()
        await one.disconnect()
        return answer

    return asyncio.run(ask())


def signed_in():
    browser = Client()
    browser.force_login(alice)
    assert (page(browser), socket(browser)) == ("alice", "alice")
    return browser


print("Django", django.__version__, "channels", version("channels"))
browsers = [signed_in(), signed_in()]
with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD]):
    page_first = [do(browsers[0]) for do in (page, socket, page)]
    socket_first = [do(browsers[1]) for do in (socket, page)]
print("page, socket, page:", *page_first)
print("socket, page:", *socket_first)
assert page_first == ["alice"] * 3, "the behaviour has changed"
assert socket_first == ["nobody"] * 2, "the behaviour has changed"
print("As seen: who comes by a socket first is signed out.")
PYTHON
