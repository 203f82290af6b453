from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "drf_spectacular"]
REST_FRAMEWORK = given.REST_FRAMEWORK | {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"
}
ROOT_URLCONF = "stories.urls_description"
