from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Register checks and receivers."""

    name = "project"

    def ready(self) -> None:
        import_module("project.checks")
        import_module("project.receivers")
