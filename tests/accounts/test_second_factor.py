"""Authenticator apps and recovery codes: each code once, whoever is quickest, and none is kept in clear."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client as Browser

from devices.core import second_factor
from devices.models import DeviceSession
from tests.authenticator import decrypted, enrol
from tests.client import PASSWORD, Device, refusal

DOORS = ("/api/login", "/api/token")


@pytest.fixture
def app(alice, clock):
    return enrol(alice)


def enter(email, door="/api/login", **more):
    return Device().post(door, {"email": email, "password": PASSWORD, **more})


@pytest.mark.parametrize("door", DOORS)
def test_with_a_code_yes_and_with_the_same_code_no(alice, app, door):
    assert refusal(enter(alice.email, door)) == (401, "otp_required")
    assert enter(alice.email, door, otp=app.code()).status_code == 200
    for again in DOORS:
        assert refusal(enter(alice.email, again, otp=app.code())) == (401, "otp_invalid")
    assert DeviceSession.objects.get().mfa_at is not None


def test_AA5_a_code_is_good_for_a_step_to_either_side_and_used_once_all_the_same(alice, app, clock):
    for steps in (-2, 2):
        assert refusal(enter(alice.email, otp=app.code(steps))) == (401, "otp_invalid")
    late = app.code()
    clock.shift(30)
    assert enter(alice.email, otp=late).status_code == 200
    for _ in range(3):
        assert refusal(enter(alice.email, otp=late)) == (401, "otp_invalid")
        clock.shift(30)


def test_DJ4_no_code_is_good_again_after_a_later_one(alice, app, clock):
    first = app.code()
    assert enter(alice.email, otp=first).status_code == 200
    clock.shift(30)
    assert enter(alice.email, otp=app.code()).status_code == 200
    assert refusal(enter(alice.email, otp=first)) == (401, "otp_invalid")


def test_a_code_may_be_typed_in_groups(alice, app):
    code = app.code()
    assert enter(alice.email, otp=f" {code[:3]} {code[3:]} ").status_code == 200


@pytest.mark.parametrize("otp", ["٣٣٣٣٣٣", "ｃｏｄｅ", "\U0001f40e", "-", "' OR 1=1--"])
def test_no_odd_code_is_an_error_of_ours(alice, app, otp):
    assert refusal(enter(alice.email, otp=otp)) == (401, "otp_invalid")


def test_a_recovery_code_signs_in_once(alice, app):
    code = app.recovery_codes[3]
    assert enter(alice.email, otp=code).status_code == 200
    assert refusal(enter(alice.email, otp=code)) == (401, "otp_invalid")
    assert enter(alice.email, otp=app.recovery_codes[4]).status_code == 200


def test_somebody_elses_codes_open_nothing(alice, mallory, app):
    theirs = enrol(mallory)
    for code in (theirs.code(), theirs.recovery_codes[0]):
        assert refusal(enter(alice.email, otp=code)) == (401, "otp_invalid")
    assert enter(mallory.email, otp=theirs.code()).status_code == 200


def test_recovery_codes_alone_are_no_second_factor(alice, app):
    Authenticator.objects.filter(type=Authenticator.Type.TOTP).delete()
    assert enter(alice.email).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_codes"])
def test_of_requests_at_once_with_one_code_one_gets_in(make_user, kind, settings):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite takes one writer at a time and proves nothing")
    settings.DEVICES = {**settings.DEVICES, "LOGIN_FAILURES_PER_ACCOUNT": 100}
    at_once = 8
    gate = threading.Barrier(at_once)
    for i in range(5):
        alice = make_user(f"alice{i}@example.org")
        app = enrol(alice)
        code = app.code() if kind == "totp" else app.recovery_codes[0]

        def run(n, alice=alice, code=code):
            try:
                gate.wait()
                return enter(alice.email, DOORS[n % 2], otp=code).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(at_once) as pool:
            answers = sorted(pool.map(run, range(at_once)))
        assert answers == [200] + [401] * (at_once - 1)
        assert DeviceSession.objects.filter(user=alice).count() == 1


def test_AA5_secrets_are_kept_encrypted_and_outlive_a_change_of_the_key(alice, app, settings):
    kept = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert app.secret not in str(kept.data)
    assert decrypted(alice) == app.secret
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another secret key for the tests, of no use elsewhere"
    with pytest.raises(InvalidToken):
        decrypted(alice)
    for code in (app.code(), app.recovery_codes[0]):
        assert refusal(enter(alice.email, otp=code)) == (401, "otp_invalid")
    settings.SECRET_KEY_FALLBACKS = [old]
    assert decrypted(alice) == app.secret


@pytest.mark.parametrize("has", [True, False])
def test_asking_for_a_second_factor_costs_a_login_no_query(alice, has, django_assert_num_queries):
    if has:
        enrol(alice)
    found = type(alice).objects.get_by_natural_key(alice.email)
    with django_assert_num_queries(0):
        assert second_factor.required_of(found) is has
    with django_assert_num_queries(1):
        assert second_factor.required_of(alice) is has


def test_removing_the_factor_makes_the_password_enough(alice, app):
    Authenticator.objects.all().delete()
    assert enter(alice.email).status_code == 200


def test_6_4_6_staff_take_a_factor_from_who_lost_it_and_see_or_give_none(alice, app, make_user):
    table = "/admin/mfa/authenticator/"
    totp = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    helper = make_user("desk@example.org", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(content_type__app_label="mfa"))
    enrol(root)
    roots = Authenticator.objects.get(type=Authenticator.Type.TOTP, user=root)
    desk = Browser()
    desk.force_login(helper)
    page = desk.get(f"{table}{totp.pk}/change/").content.decode()
    assert alice.email in page
    assert totp.data["secret"] not in page and app.secret not in page
    form = {"user": alice.pk, "type": "totp", "data": "{}"}
    for path in ("add/", f"{totp.pk}/change/"):
        assert desk.post(f"{table}{path}", form).status_code == 403

    assert desk.post(f"{table}{roots.pk}/delete/", {"post": "yes"}).status_code == 403
    ticked = {"action": "delete_selected", "_selected_action": [roots.pk], "post": "yes"}
    assert desk.post(table, ticked).status_code == 403
    assert desk.post(f"{table}{totp.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Authenticator.objects.filter(type="totp")) == [roots]
    assert enter(alice.email).status_code == 200
