"""The pages for people; include them under `/devices/`."""

from django.urls import path

from .bound_sessions import BindView, ProveView
from .device_code import DeviceCodeView
from .preferences import NotificationsView
from .review import ReviewOtherView, ReviewView
from .sign_out import SignOutInactiveView, SignOutOthersView, SignOutView
from .step_up import ConfirmView
from .views import ActivityView, DevicesView, ForgetTrustedView, HistoryView, RenameView
from .watch import WatchView

app_name = "devices"

urlpatterns = [
    path("", DevicesView.as_view(), name="list"),
    path("history.csv", HistoryView.as_view(), name="history-csv"),
    path("notifications/", NotificationsView.as_view(), name="notifications"),
    path("confirm/", ConfirmView.as_view(), name="confirm"),
    path("watch/", WatchView.as_view(), name="watch"),
    path("code/", DeviceCodeView.as_view(), name="code"),
    path("review/", ReviewView.as_view(), name="review"),
    path("sign-out-others/", SignOutOthersView.as_view(), name="sign-out-others"),
    path("sign-out-inactive/", SignOutInactiveView.as_view(), name="sign-out-inactive"),
    path("trusted/<uuid:pk>/forget/", ForgetTrustedView.as_view(), name="forget-trusted"),
    path("bind/", BindView.as_view(), name="bind"),
    path("<uuid:pk>/prove/", ProveView.as_view(), name="prove"),
    path("<uuid:pk>/", ActivityView.as_view(), name="activity"),
    path("<uuid:pk>/name/", RenameView.as_view(), name="rename"),
    path("<uuid:pk>/review/", ReviewOtherView.as_view(), name="review-other"),
    path("<uuid:pk>/sign-out/", SignOutView.as_view(), name="sign-out"),
]
