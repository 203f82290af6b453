"""Where services learn of the transmitter; include it under `/.well-known/` at the root."""

from django.urls import path, re_path

from devices.contrib.ssf import views

app_name = "devices-ssf-well-known"

urlpatterns = [
    path("ssf-configuration", views.well_known, name="ssf-configuration"),
    # The path of an issuer that has one comes last.
    re_path("^ssf-configuration(?P<path>/.+)$", views.well_known, name="ssf-configuration-below"),
]
