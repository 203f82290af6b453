#!/usr/bin/env bash
# Idempotency keys: after a new access token, one package carries a request out twice, and another never does.
#
# Guess: a request that is sent again with its Idempotency-Key is answered as the first time, whichever access token of the
# same person it has; and one that was refused with 401 is carried out once it comes with a good token.
# Seen: django-idempotency-key reckons the header Authorization into its key. A client that has lost an answer, gets a new
# access token and repeats the POST has it carried out a second time. The middleware of drf-idempotency stores refusals as
# well, for a day: a POST that came with an expired token, and is repeated after a refresh, is answered with the old 401.
# With CACHE_CLIENT_ERROR_RESPONSES False it is carried out.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 djangorestframework==3.18.3 \
    djangorestframework-simplejwt==5.5.1 django-idempotency-key==1.3.0 drf-idempotency==1.0.0
cat > "$folder/orders.py" <<'PYTHON'
import sys
from datetime import timedelta

import django
from django.conf import settings

MIDDLEWARE, caches_refusals = sys.argv[1], sys.argv[2] == "True"
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "drf_idempotency"],
    MIDDLEWARE=[MIDDLEWARE],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    IDEMPOTENCY={"CACHE_CLIENT_ERROR_RESPONSES": caches_refusals},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import AccessToken

orders, client = [], Client()


class Orders(APIView):
    def post(self, request):
        orders.append(request.user.pk)
        return Response({"number": len(orders)}, status=201)


def order(key, token):
    headers = {"idempotency-key": key, "authorization": f"Bearer {token}"}
    return client.post("/orders", {}, content_type="application/json", headers=headers).status_code


urlpatterns = [path("orders", Orders.as_view())]
call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice")
first, second, expired = (AccessToken.for_user(alice) for _ in range(3))
expired.set_exp(lifetime=-timedelta(minutes=1))
lost = [order("a-lost-answer", first), order("a-lost-answer", first), order("a-lost-answer", second)]
print("  the same token twice, then a new one:", *lost, "- carried out", len(orders), "times")
refused = [order("refused-once", expired), order("refused-once", second)]
print("  an expired token, then a new one:", *refused)
assert (len(orders) - (refused[1] == 201), refused[1]) == tuple(map(int, sys.argv[3:])), "the behaviour has changed"
PYTHON
cd "$folder"
echo "django-idempotency-key 1.3.0"
"$folder/venv/bin/python" orders.py idempotency_key.middleware.IdempotencyKeyMiddleware True 2 201 2>/dev/null
echo "drf-idempotency 1.0.0"
"$folder/venv/bin/python" orders.py drf_idempotency.middleware.IdempotencyMiddleware True 1 401 2>/dev/null
echo "drf-idempotency 1.0.0 with CACHE_CLIENT_ERROR_RESPONSES False"
"$folder/venv/bin/python" orders.py drf_idempotency.middleware.IdempotencyMiddleware False 1 201 2>/dev/null
echo "As seen: carried out twice, or refused for ever."
