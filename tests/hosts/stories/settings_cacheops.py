from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "cacheops"]
CACHEOPS = {"devices.*": None}
