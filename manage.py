#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    # A migration or a clean-up may take its time; a request may not.
    os.environ.setdefault("DB_STATEMENT_TIMEOUT", "0")
    execute_from_command_line(sys.argv)
