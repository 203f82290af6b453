"""Door for staff. Django's autodiscover imports it, and with it everything that registers itself."""

from . import activity as activity
from . import sessions as sessions
