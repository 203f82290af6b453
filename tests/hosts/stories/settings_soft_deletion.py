from stranger.settings import *  # noqa: F403

INSTALLED_APPS = ["stories.softly", *INSTALLED_APPS]  # noqa: F405
AUTH_USER_MODEL = "softly.Person"
