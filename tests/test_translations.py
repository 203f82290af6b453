"""Nothing that people read is left untranslated, and what is compiled is what is written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = ("devices", "accounts", "project")
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]


def catalog(path):
    with path.open("rb") as file:
        return read_po(file) if path.suffix == ".po" else read_mo(file)


def place(app, language):
    return f"{app}/locale/{language}/LC_MESSAGES/django"


def strings(message):
    return message.string if isinstance(message.string, tuple | list) else (message.string,)


@pytest.mark.skipif(not shutil.which("xgettext"), reason="gathering messages needs gettext")
@pytest.mark.parametrize("app", APPS)
def test_no_message_is_missing_or_doubtful(app, tmp_path):
    ignore = shutil.ignore_patterns("__pycache__", "migrations", "static")
    shutil.copytree(ROOT / app, tmp_path / app, ignore=ignore)
    for language in LANGUAGES:
        command = ["-m", "django", "makemessages", "-l", language, "--no-obsolete", "-v", "0"]
        env = {"PATH": os.environ["PATH"]}
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path / app, env=env, check=True, timeout=120
        )
        found = catalog(tmp_path / f"{place(app, language)}.po")
        assert len(found) > 10
        undone = [message.id for message in found if message.id and not all(strings(message))]
        doubtful = [message.id for message in found if message.id and message.fuzzy]
        assert (undone, doubtful) == ([], []), "make messages, and translate them"


@pytest.mark.parametrize("app", APPS)
def test_what_is_compiled_is_what_is_written(app):
    for language in LANGUAGES:
        written, compiled = (
            {tuple(message.id): list(strings(message)) for message in catalog(path) if message.id}
            for path in (ROOT / f"{place(app, language)}{suffix}" for suffix in (".po", ".mo"))
        )
        assert compiled == written


@pytest.mark.parametrize("app", APPS)
def test_what_stands_for_something_else_is_kept(app):
    for language in LANGUAGES:
        for message in catalog(ROOT / f"{place(app, language)}.po"):
            if message.id and message.python_format:
                plural = isinstance(message.id, tuple)
                ids = message.id if plural else (message.id,)
                for text in strings(message):
                    assert placeholders(text) == placeholders(ids[-1]), message.id


def placeholders(text):
    return {part.split(")")[0] for part in text.split("%(")[1:]}
