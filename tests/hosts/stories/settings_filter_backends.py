from stranger import settings as given
from stranger.settings import *  # noqa: F403

REST_FRAMEWORK = given.REST_FRAMEWORK | {
    "DEFAULT_FILTER_BACKENDS": ["stories.filter_backends.OwnedBy"]
}
