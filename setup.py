"""Translations are compiled (by Babel) before they are packed: see pyproject.toml for all else."""

from setuptools import setup
from setuptools.command.build import build

build.sub_commands.insert(0, ("compile_catalog", None))
setup()
