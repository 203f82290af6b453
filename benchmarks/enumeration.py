"""Does the time of a refused login tell who has an account? `python benchmarks/enumeration.py`

Refusals of every kind take turns, with the password hasher of production and in a database of their own.
Printed is the median of each in CPU time, and how far it is from that of a wrong password.
"""

import itertools
import os
import statistics
import sys
import time
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

ROUNDS = 60
REFUSALS = ("wrong password", "no such user", "inactive user", "no usable password")


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.test.utils import override_settings, setup_databases, teardown_databases

    hashers = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]}
    limits = {
        **settings.DEVICES,
        "LOGIN_FAILURES_PER_ACCOUNT": 10**6,
        "LOGIN_ATTEMPTS_PER_ADDRESS": 10**6,
    }
    with override_settings(**hashers, DEVICES=limits):
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            report(measure())
        finally:
            teardown_databases(databases, verbosity=0)


def measure() -> dict[str, list[float]]:
    from accounts.models import User
    from devices.core import attempts
    from tests.client import PASSWORD, Device

    attempts.MAX_CONSECUTIVE = 10**6
    User.objects.create_user("wrong@example.org", PASSWORD)
    User.objects.create_user("inactive@example.org", PASSWORD, is_active=False)
    User.objects.create_user("unusable@example.org", None)
    emails = [f"{name}@example.org" for name in ("wrong", "nobody", "inactive", "unusable")]
    times: dict[str, list[float]] = {refusal: [] for refusal in REFUSALS}
    for _ in itertools.repeat(None, ROUNDS):
        for refusal, email in zip(REFUSALS, emails, strict=True):
            password = PASSWORD if refusal == "inactive user" else "wrong"
            start = time.process_time()
            answer = Device().post("/api/login", {"email": email, "password": password})
            times[refusal].append(time.process_time() - start)
            assert answer.json()["code"] == "no_active_account"
    return times


def report(times: dict[str, list[float]]) -> None:
    reference = statistics.median(times[REFUSALS[0]])
    for refusal, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{refusal:20} {median * 1000:7.1f} ms {median / reference - 1:+7.1%}")


if __name__ == "__main__":
    main()
