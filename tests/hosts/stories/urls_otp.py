from django.http import JsonResponse
from django.urls import path
from django.views import View
from django_otp.decorators import otp_required
from django_otp.views import LoginView
from stranger.urls import urlpatterns as given


@otp_required
def vault(request):
    return JsonResponse({"user": request.user.get_username()})


class Later(View):
    """Who is there, as asynchronous code asks."""

    async def get(self, request):
        user = await request.auser()
        return JsonResponse({"user": user.get_username()})


def who(request):
    return JsonResponse({"verified": request.user.is_verified()})


urlpatterns = [
    path("vault", vault),
    path("who", who),
    path("later", Later.as_view()),
    path("enter/", LoginView.as_view(template_name="devices/devices.html")),
    *given,
]
