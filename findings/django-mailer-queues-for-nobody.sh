#!/usr/bin/env bash
# django-mailer: in a new project of Django 6.1 it takes every e-mail into its queue, and sends none.
#
# Guess: a backend that accepts an e-mail has its command deliver it, or refuses it at once.
# Seen: `startproject` of Django 6.1 writes MAILERS. With django-mailer's backend there, `send_mail()` answers 1 and the
# e-mail is in its table. Its command `send_mail` reads EMAIL_BACKEND, which Django 6.1 does not have beside MAILERS, and
# raises AttributeError before it sends anything. With EMAIL_BACKEND in place of MAILERS, which Django 6.1 warns of, it
# delivers. Whoever queues notices of strange sign-ins or links to a new password learns of it from their users.
set -euo pipefail
is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null; }
for PYTHON in "${PYTHON:-python3}" python3.{12..15} "$HOME"/.pyenv/versions/3.1[2-5]*/bin/python3; do
    is_new "$PYTHON" && break
done
is_new "$PYTHON" || { echo "needs Python 3.12 or newer"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"$PYTHON" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Django==6.1.3 django-mailer==2.3.2
cat > "$folder/notices.py" <<'PYTHON'
import logging
import sys
import warnings

import django
from django.conf import settings

warnings.simplefilter("ignore")
QUEUE, REAL = "mailer.backend.DbBackend", "django.core.mail.backends.locmem.EmailBackend"
settings.configure(
    SECRET_KEY="a key for this script, which is of no use elsewhere",
    INSTALLED_APPS=["mailer"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MAILER_EMAIL_BACKEND=REAL,
    USE_TZ=True,
    **({"MAILERS": {"default": {"BACKEND": QUEUE}}} if sys.argv[1] == "MAILERS" else {"EMAIL_BACKEND": QUEUE}),
)
django.setup()
logging.disable(logging.CRITICAL)

from django.core import mail
from django.core.management import call_command
from mailer.models import Message

call_command("migrate", verbosity=0)
accepted = mail.send_mail("New sign-in", "Was this you?", "site@example.org", ["alice@example.org"])
try:
    call_command("send_mail")
    seen = "the command succeeds"
except AttributeError as error:
    seen = f"the command fails: {error}"
print(f"  accepted {accepted}; {seen}; still in the queue: {Message.objects.count()}")
assert accepted == 1, "the behaviour has changed"
sys.exit(Message.objects.count())
PYTHON
cd "$folder"
echo "Django 6.1.3, django-mailer 2.3.2"
echo "with MAILERS, as startproject has it"
if "$folder/venv/bin/python" notices.py MAILERS; then echo "the behaviour has changed"; exit 1; fi
echo "with EMAIL_BACKEND"
"$folder/venv/bin/python" notices.py EMAIL_BACKEND
echo "As seen: what was accepted stays in the queue."
