from stranger import settings as given
from stranger.settings import *  # noqa: F403

REST_FRAMEWORK = given.REST_FRAMEWORK | {
    "DEFAULT_FILTER_BACKENDS": ["stories.view_defaults.OwnedBy"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "stories.view_defaults.Table",
    ],
    "URL_FORMAT_OVERRIDE": None,
}
