"""Clients that are signed in by the helper are signed in for real."""

import time

import pytest
from django.test import Client
from rest_framework.test import APIClient

from devices.models import DeviceSession
from devices.shortcuts import end_session
from devices.testing import sign_in, sign_out
from tests.client import IPHONE

pytest_plugins = ["devices.pytest_plugin"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("client", [Client, APIClient])
def test_a_client_has_a_session_of_its_own_that_can_be_ended(client, alice):
    here = client()
    session = sign_in(here, alice, user_agent=IPHONE, ip_address="203.0.113.9", method="sso")
    (listed,) = here.get("/api/sessions").json()
    assert listed["id"] == str(session.pk) and listed["device"] == "Safari on iOS"
    assert (listed["ip_address"], listed["login_method"]) == ("203.0.113.9", "sso")
    end_session(session)
    assert here.get("/api/sessions").json()["code"] == "session_revoked"
    sign_out(here)
    assert here.get("/api/sessions").status_code == 401


def test_a_cookie_opens_pages(client, alice):
    session = sign_in(client, alice, cookie=True)
    assert str(session.pk) in client.get("/devices/").content.decode()
    end_session(session)
    assert client.get("/devices/").status_code == 302


def test_a_second_factor_is_not_asked_for(client, alice, codes):
    codes.codes[alice.pk] = ["100000"]
    assert sign_in(client, alice).mfa_at
    assert sign_in(Client(), alice, cookie=True)


def test_the_fixture_signs_in(device_client, alice, mallory):
    mine, theirs = device_client(alice), device_client(mallory)
    assert mine.get("/api/me").json()["email"] == "alice@example.org"
    assert theirs.device_session.user_id == mallory.pk


def test_it_is_a_line_and_no_login(client, alice, django_assert_max_num_queries):
    sign_in(client, alice)
    begin = time.perf_counter()
    with django_assert_max_num_queries(10):
        sign_in(Client(), alice)
    assert time.perf_counter() - begin < 5
    assert DeviceSession.objects.count() == 2
