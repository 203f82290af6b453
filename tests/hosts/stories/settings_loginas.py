from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "loginas"]
ROOT_URLCONF = "stories.urls_loginas"
DEVICES = {"SECOND_FACTOR": "stories.acting.Factor"}
LOGIN_REDIRECT_URL = "/devices/"


def CAN_LOGIN_AS(request, user):
    """As careless as a project can be."""
    return True
