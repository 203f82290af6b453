from stranger import settings as given
from stranger.settings import *  # noqa: F403

TIME_ZONE = "Asia/Tokyo"
REST_FRAMEWORK = given.REST_FRAMEWORK | {
    "DEFAULT_RENDERER_CLASSES": ["stories.formats.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["stories.formats.Parser"],
    "DATETIME_FORMAT": "%d.%m.%Y",
    "DATE_FORMAT": "%d.%m.%Y",
}
