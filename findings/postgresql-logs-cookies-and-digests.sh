#!/usr/bin/env bash
# Django and PostgreSQL: the values of a statement are in the server's log, whatever its settings say about parameters.
#
# Guess: an ORM sends values apart from the statement. So by default PostgreSQL's log has none of them, and where statements
# are logged, `log_parameter_max_length = 0` leaves the values out.
# Seen: psycopg 3 as Django (5.2) sets it up writes the values into the text. By default, each statement that fails or reaches a
# time-out is logged with them: the session key, which is the cookie, and the digest of a new password. With
# `log_statement = 'mod'`, each new password is. `log_parameter_max_length` and `log_parameter_max_length_on_error`, both 0,
# change nothing. With `server_side_binding` in OPTIONS the text has `$1`, and the settings hold.
#
# Needs PostgreSQL's server programs (Debian: postgresql).
set -euo pipefail
[ -d /usr/lib/postgresql ] || command -v initdb >/dev/null || { echo "needs PostgreSQL's server programs"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' Django==5.2.19
PYTHONPATH=$(dirname "$0") "$folder/venv/bin/python" - <<'PYTHON'
import django
from django.conf import settings

from postgres_lab import servers

with servers() as start:
    server = start(log_parameter_max_length="0", log_parameter_max_length_on_error="0")
    place = {"HOST": "127.0.0.1", "PORT": server.port, "USER": "postgres", "NAME": "postgres"}
    settings.configure(
        SECRET_KEY="of this script alone",
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, **place}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    )
    django.setup()

    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    def logged():
        """What of a cookie and two digests of passwords is in the log, after two statements that wait too long."""
        log = server.data / "log"
        before = len(log.read_text())
        session = SessionStore()
        session.create()
        user = User.objects.create_user(f"alice{before}", password="first")
        connection.cursor().execute("SET lock_timeout = 200")
        with server.connect(autocommit=False) as other:
            other.execute("LOCK TABLE django_session, auth_user")
            user.set_password("second")
            for each in (SessionStore(session.session_key).load, user.save):
                try:
                    each()
                except DatabaseError as error:
                    assert "lock timeout" in str(error), error
                else:
                    raise AssertionError("it did not wait")
        digests = User.objects.get(pk=user.pk).password, user.password
        secrets = dict(zip(("cookie", "first", "second"), (session.session_key, *digests)))
        connection.close()
        text = log.read_text()[before:]
        return {name for name, secret in secrets.items() if secret in text}

    call_command("migrate", verbosity=0)
    seen = {"as it comes": logged()}
    server.set("log_statement", "mod")
    seen["log_statement"] = logged()
    connection.settings_dict["OPTIONS"]["server_side_binding"] = True
    seen["server_side_binding"] = logged()
    print("Django", django.__version__, "PostgreSQL", server.ask("SHOW server_version"))
    for name, what in seen.items():
        print(f"{name}: the log has", ", ".join(sorted(what)) or "none of them")
    assert seen == {
        "as it comes": {"cookie", "second"},
        "log_statement": {"cookie", "first", "second"},
        "server_side_binding": set(),
    }, "the behaviour has changed"
PYTHON
