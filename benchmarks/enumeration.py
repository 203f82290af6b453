"""Does the time of an answer tell who has an account? `python benchmarks/enumeration.py [rounds]`

Refused logins of every kind take turns, and so do known and unknown addresses where one registers or asks for
a new password, with the password hasher of production and in a database of their own. Printed is the median
of each in CPU time, and how far it is from the first of its group.
"""

import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
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
    strict = {"REQUIRE_EMAIL_VERIFICATION": True, "ACCOUNT_EMAIL_VERIFICATION": "mandatory"}
    with override_settings(**hashers, **strict, ACCOUNT_RATE_LIMITS=False, DEVICES=limits):
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            report(logins())
            for times in addresses():
                report(times)
        finally:
            teardown_databases(databases, verbosity=0)


def logins() -> dict[str, list[float]]:
    from accounts.models import User
    from devices.core import throttling
    from tests.client import PASSWORD, Device

    throttling.MAX_CONSECUTIVE = 10**6
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


def addresses() -> Iterator[dict[str, list[float]]]:
    from django.test import Client

    from accounts.models import User
    from tests.client import PASSWORD, Device

    def register(email: str) -> Any:
        return Device().post("/api/register", {"email": email, "password": PASSWORD})

    def sign_up(email: str) -> Any:
        return Client().post("/accounts/signup/", {"email": email, "password1": PASSWORD})

    def reset(email: str) -> Any:
        return Client().post("/accounts/password/reset/", {"email": email})

    for ask in (register, sign_up, reset):
        what = ask.__name__.replace("_", " ")
        times: dict[str, list[float]] = {f"{what}, known": [], f"{what}, unknown": []}
        for n in range(ROUNDS):
            known = User.objects.create_user(f"{ask.__name__}{n}@example.org", PASSWORD)
            for kind, email in zip(times, (known.email, f"un{known.email}"), strict=True):
                start = time.process_time()
                answer = ask(email)
                times[kind].append(time.process_time() - start)
                assert answer.status_code in (202, 302), answer.content
        yield times


def report(times: dict[str, list[float]]) -> None:
    reference = statistics.median(next(iter(times.values())))
    for refusal, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{refusal:24} {median * 1000:7.1f} ms {median / reference - 1:+7.1%}")


if __name__ == "__main__":
    main()
