"""Import paths of entry points. They are not imported: no entry point depends on another."""

AUTHENTICATION = "devices.api.authentication.DeviceSessionAuthentication"
COOKIE_AUTHENTICATION = "devices.contrib.cookies.authentication.CookieAuthentication"
BACKEND = "devices.backends.LimitedModelBackend"
COOKIES = "django.contrib.auth.middleware.AuthenticationMiddleware"
STORES = "django.contrib.sessions.middleware.SessionMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
MIDDLEWARE = "devices.web.middleware.DeviceMiddleware"
PAGE_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"
STORE = "devices.web.session_store.DeviceSessionStore"
# Of Django's own, those that read `request.user` before the view is called.
READERS = {
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
}
SERIALIZERS = {
    "TOKEN_OBTAIN_SERIALIZER": "devices.api.serializers.SessionStartSerializer",
    "TOKEN_REFRESH_SERIALIZER": "devices.api.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "devices.api.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "devices.api.serializers.TokenBlacklistSerializer",
}
# How the errors of this app become answers.
EXTEND_HANDLER = (
    "Set REST_FRAMEWORK['EXCEPTION_HANDLER'] to devices.api.errors.exception_handler, or decorate yours with "
    "devices.api.errors.extend_handler."
)
