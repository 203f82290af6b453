from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "devices.contrib.ssf"]
MIDDLEWARE = [*given.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
ROOT_URLCONF = "stories.urls_services"
