from django.urls import include, path, re_path

OURS = ("devices.api.urls", *(f"devices.api.urls.{name}" for name in ("login", "tokens", "staff")))

urlpatterns = [
    *(path("<slug:tenant>/api/<version>/", include(ours)) for ours in OURS),
    # Without names, what is captured are positional arguments.
    *(re_path("^(old|older)/", include((ours, f"old-{ours.rpartition('.')[2]}"))) for ours in OURS),
    path("devices/", include("devices.web.urls")),
]
