"""The pages for people; include them under `/devices/`."""

from django.urls import path

from .stepup import ConfirmView
from .views import DevicesView, SignOutAllView, SignOutView

urlpatterns = [
    path("", DevicesView.as_view(), name="devices"),
    path("confirm/", ConfirmView.as_view(), name="devices-confirm"),
    path("sign-out-all/", SignOutAllView.as_view(), name="devices-sign-out-all"),
    path("<uuid:pk>/sign-out/", SignOutView.as_view(), name="devices-sign-out"),
]
