#!/usr/bin/env bash
# django-configurations on Django 6.1: a class of settings that names MAILERS does not start, and one that names none is
# warned ten times.
#
# Guess: a class gives Django what it defines, and nothing else; MAILERS is a setting as any other.
# Seen: the base class copies all of Django's own settings, so that for Django the project has set each of them
# (`settings.is_overridden` is always true). Django 6.1 refuses MAILERS beside the older EMAIL_… settings, which nobody has
# written: ImproperlyConfigured. Without MAILERS each of the ten is reported as deprecated.
# Django 6.1 needs Python 3.12 or newer: PYTHON names one, or it is in the path or among those of pyenv.
set -euo pipefail
is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null; }
for PYTHON in "${PYTHON:-python3}" python3.{12..15} "$HOME"/.pyenv/versions/3.1[2-5]*/bin/python3; do
    is_new "$PYTHON" && break
done
is_new "$PYTHON" || { echo "needs Python 3.12 or newer"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"$PYTHON" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==6.1.3 django-configurations==2.5.1
cat > "$folder/site_settings.py" <<'PYTHON'
from configurations import Configuration


class Plain(Configuration):
    SECRET_KEY = "a key for this script, which is of no use elsewhere"


class Mailing(Plain):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
PYTHON
cat > "$folder/start.py" <<'PYTHON'
import os
import sys
import warnings

os.environ |= {"DJANGO_SETTINGS_MODULE": "site_settings", "DJANGO_CONFIGURATION": sys.argv[1]}
import configurations
import django
from django.core.exceptions import ImproperlyConfigured

print("Django", django.__version__, "django-configurations", configurations.__version__, sys.argv[1], end=": ")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    try:
        configurations.setup()
    except ImproperlyConfigured as error:
        print(error)
        assert sys.argv[1] == "Mailing" and "MAILERS" in str(error) and "EMAIL_HOST" in str(error)
    else:
        from django.conf import settings

        deprecated = [str(each.message) for each in told if "Migrate to MAILERS" in str(each.message)]
        print(len(deprecated), "warnings; LOGIN_URL is set by the project:", settings.is_overridden("LOGIN_URL"))
        assert sys.argv[1] == "Plain" and len(deprecated) == 10 and settings.is_overridden("LOGIN_URL")
PYTHON
cd "$folder"
for each in Plain Mailing; do venv/bin/python start.py $each || { echo "the behaviour has changed"; exit 1; }; done
echo "As seen: with MAILERS it does not start."
