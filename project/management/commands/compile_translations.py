"""Compiles the translations, which are not in git, as Django reads them; gettext is not needed."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand

CATALOG = "*/LC_MESSAGES/django.po"


class Command(BaseCommand):
    help = "Compile the translations that have changed."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        for source in (*root.glob(f"*/locale/{CATALOG}"), *root.glob(f"*/words/{CATALOG}")):
            compiled = source.with_suffix(".mo")
            if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
                with source.open("rb") as file:
                    catalog = read_po(file)
                new = compiled.with_suffix(".new")
                with new.open("wb") as file:
                    write_mo(file, catalog)
                new.replace(compiled)
