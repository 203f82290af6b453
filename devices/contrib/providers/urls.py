"""URLs for identity providers that end sessions; include them under `/providers/`."""

from devices.api.routing import endpoint
from devices.contrib.providers import views

app_name = "devices-providers"

urlpatterns = [
    endpoint("events", views.events, "events"),
    endpoint("logout", views.logout, "logout"),
]
