"""Compiles the translations, which are not in git, as Django reads them; gettext is not needed."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Compile the translations that are newer than what was compiled of them."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for source in Path(settings.BASE_DIR).glob("*/locale/*/LC_MESSAGES/django.po"):
            compiled = source.with_suffix(".mo")
            if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
                with source.open("rb") as file:
                    catalog = read_po(file)
                new = compiled.with_suffix(".new")
                with new.open("wb") as file:
                    write_mo(file, catalog)
                new.replace(compiled)
