"""The admin for staff. Django's autodiscover imports it, and so all modules that register a model."""

from . import activity as activity
from . import failures as failures
from . import sessions as sessions
