from stranger import settings as given
from stranger.settings import *  # noqa: F403

# As most projects have it that come from SimpleJWT, until their old tokens have expired.
INSTALLED_APPS = [*given.INSTALLED_APPS, "rest_framework_simplejwt.token_blacklist"]
