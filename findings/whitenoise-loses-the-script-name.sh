#!/usr/bin/env bash
# Django below a path with WhiteNoise: pages link to /static/ and not to /app/static/.
#
# Guess: with FORCE_SCRIPT_NAME a relative STATIC_URL gets the path in front of it, as Django's settings reference says.
# Seen: true without WhiteNoise. Under WSGI Django sets no script prefix before the first request, and it keeps the
# value of STATIC_URL that was read first. WhiteNoise's middleware reads it when it is made, which is earlier, so the
# path is missing in all pages of that process.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 whitenoise==6.12.0
mkdir "$folder/static"
cat > "$folder/app.py" <<'PYTHON'
import sys
from wsgiref.util import setup_testing_defaults

from django.conf import settings

settings.configure(
    SECRET_KEY="a key for this script, of no use elsewhere",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    FORCE_SCRIPT_NAME="/app",
    STATIC_URL="static/",
    STATIC_ROOT="static",
    INSTALLED_APPS=["django.contrib.staticfiles"],
    MIDDLEWARE=sys.argv[1:],
)

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path

urlpatterns = [path("page", lambda request: HttpResponse(static("site.css")))]
environ = {"PATH_INFO": "/page"}
setup_testing_defaults(environ)
print(b"".join(get_wsgi_application()(environ, lambda status, headers: None)).decode())
PYTHON
cd "$folder"
"$folder/venv/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -E "^(Django|whitenoise) "
without=$("$folder/venv/bin/python" app.py)
with=$("$folder/venv/bin/python" app.py whitenoise.middleware.WhiteNoiseMiddleware)
echo "a page links to $without without WhiteNoise, and to $with with it"
[ "$without" = /app/static/site.css ] && [ "$with" = /static/site.css ] || { echo "the behaviour has changed"; exit 1; }
