from django.contrib import auth
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from stranger.urls import urlpatterns as given

from devices.shortcuts import authenticate, change_password


@csrf_exempt
def login(request):
    user = auth.authenticate(
        request, username=request.POST["username"], password=request.POST["password"]
    )
    auth.login(request, user)
    return JsonResponse({})


@csrf_exempt
def password(request):
    session = authenticate(request)
    request.user, request.auth = session.user, session
    change_password(request, "another horse battery 8")
    return JsonResponse({})


@csrf_exempt
def leave(request):
    authenticate(request).user.delete()
    return JsonResponse({})


urlpatterns = [
    path("login", login),
    path("password", password),
    path("leave", leave),
    *given,
]
