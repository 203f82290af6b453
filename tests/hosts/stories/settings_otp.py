from stranger import settings as given
from stranger.settings import *  # noqa: F403

INSTALLED_APPS = [*given.INSTALLED_APPS, "django_otp", "django_otp.plugins.otp_static"]
# As its documents say: somewhere behind AuthenticationMiddleware. Ours is directly behind that.
MIDDLEWARE = [*given.MIDDLEWARE, "django_otp.middleware.OTPMiddleware"]
ROOT_URLCONF = "stories.urls_otp"
LOGIN_URL = OTP_LOGIN_URL = "/enter/"
# By the lines of docs/step-up.md.
DEVICES = {"SECOND_FACTOR": "stories.otp.OtpDevices", "LOGIN_PROOF": "stories.otp.proof_of"}
