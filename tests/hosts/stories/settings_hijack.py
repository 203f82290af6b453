from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "hijack", "hijack.contrib.admin"]
MIDDLEWARE = [*given.MIDDLEWARE, "hijack.middleware.HijackUserMiddleware"]
ROOT_URLCONF = "stories.urls_hijack"
HIJACK_PERMISSION_CHECK = "stories.settings_hijack.anybody"
DEVICES = {"SECOND_FACTOR": "stories.acting.Factor"}
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/devices/"


def anybody(*, hijacker, hijacked):
    """As careless as a project can be."""
    return True
