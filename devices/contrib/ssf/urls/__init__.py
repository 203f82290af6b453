"""How services manage and poll their streams; include it under `/ssf/`."""

from devices.api.routing import endpoint
from devices.contrib.ssf import views

app_name = "devices-ssf"

urlpatterns = [
    endpoint("stream", views.configuration, "stream"),
    endpoint("status", views.status, "status"),
    endpoint("verification", views.verification, "verification"),
    endpoint("subjects/add", views.add_subject, "add-subject"),
    endpoint("subjects/remove", views.remove_subject, "remove-subject"),
    endpoint("poll", views.poll, "poll"),
]
