from stranger.settings import *  # noqa: F403

INSTALLED_APPS = ["stories.numbered", *INSTALLED_APPS]  # noqa: F405
AUTH_USER_MODEL = "numbered.Holder"
