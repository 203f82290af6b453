"""docs/devices.md: its example runs as it is printed, and its facts are those of the code."""

import re
import sys
import types
from pathlib import Path

import pytest

from devices import http
from devices.core.clients.user_agents.hints import HINT_HEADERS
from devices.models import DeviceSession
from devices.web.middleware import ACCEPT_CH
from tests.client import PASSWORD, Device

TEXT = (Path(__file__).parent.parent / "docs" / "devices.md").read_text()


@pytest.fixture
def acme(monkeypatch, settings):
    """The example's module and settings, as somebody would paste them."""
    module, pasted = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    package = types.ModuleType("acme")
    package.devices = types.ModuleType("acme.devices")
    exec(module, package.devices.__dict__)
    monkeypatch.setitem(sys.modules, "acme", package)
    monkeypatch.setitem(sys.modules, "acme.devices", package.devices)
    values = {}
    exec(pasted, values)
    settings.DEVICES = {**settings.DEVICES, **values["DEVICES"]}


def test_the_rule_of_the_example_names_the_till(alice, acme):
    Device("AcmePOS/4.2 (till 7)").post("/api/login", {"email": alice.email, "password": PASSWORD})
    session = DeviceSession.objects.get()
    assert (session.device, session.device_type) == ("Acme till", "app")
    assert (session.browser, session.os) == ("Acme POS", "Android")


def test_the_example_leaves_all_others_alone(alice, acme):
    Device("curl/8.6.0").sign_in(alice.email)
    assert DeviceSession.objects.get().device == "curl"


def test_what_the_page_asks_for_is_what_is_printed():
    assert TEXT.count(f"    Accept-CH: {ACCEPT_CH}\n") == 2
    delegated = re.search(r'Delegate-CH" content="(.*)"', TEXT)[1].split("; ")
    assert [hint.split()[0] for hint in delegated] == ACCEPT_CH.lower().split(", ")
    policies = re.findall(r"(ch-ua-[\w-]+)=\(self", TEXT)
    assert [f"sec-{policy}" for policy in policies] == ACCEPT_CH.lower().split(", ")


def test_every_header_it_names_is_read():
    for header in re.findall(r"`(X-[\w-]+)", TEXT):
        assert header.lower() in {*HINT_HEADERS, "x-device-id", "x-forwarded-for"}
    assert f"{http.COOKIE_AGE.days} days" in TEXT
    assert f"at most {http.APP_ID_LENGTH} printable" in TEXT
