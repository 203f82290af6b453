from stranger import settings as given
from stranger.settings import *  # noqa: F403

ROOT_URLCONF = "stories.urls_versions"
REST_FRAMEWORK = given.REST_FRAMEWORK | {
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.URLPathVersioning",
    "ALLOWED_VERSIONS": ["v1"],
}
