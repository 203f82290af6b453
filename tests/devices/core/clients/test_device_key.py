"""The key of a device: the same at each of its logins, another for everybody else."""

from devices.core.clients.client import Client, Label
from devices.core.clients.device_key import fingerprint, proven_key

LAPTOP = Label("Chrome on Windows 11", "desktop", "Chrome", "Windows 11")


def test_an_update_of_browser_or_system_and_another_address_make_no_other_device():
    assert fingerprint(1, LAPTOP) == fingerprint(1, LAPTOP._replace(os="Windows 10", device="…"))
    assert fingerprint(1, LAPTOP) == fingerprint(1, LAPTOP._replace(os="Windows"))


def test_another_user_browser_system_or_kind_is_another_device():
    keys = {
        fingerprint(1, LAPTOP),
        fingerprint(2, LAPTOP),
        fingerprint(1, LAPTOP._replace(browser="Firefox")),
        fingerprint(1, LAPTOP._replace(os="macOS")),
        fingerprint(1, LAPTOP._replace(device_type="tablet")),
    }
    assert len(keys) == 5


def test_a_key_is_proven_by_an_apps_id_or_by_a_browsers_with_its_origin():
    keys = {
        proven_key(1, Client(app_id="a")),
        proven_key(2, Client(app_id="a")),
        proven_key(1, Client(app_id="b")),
        proven_key(1, Client(browser_id="a")),
        proven_key(2, Client(browser_id="a")),
        proven_key(1, Client(browser_id="a", origin="https://a.example")),
        proven_key(1, Client(browser_id="a", origin="https://b.example")),
    }
    assert len(keys) == 7 and all(len(key) == 64 for key in keys)
    assert proven_key(1, Client(app_id="a", origin="x")) in keys
    assert len(proven_key(1, Client(browser_id="a", origin="\ud800"))) == 64


def test_what_brings_no_id_proves_nothing():
    assert proven_key(1, Client("203.0.113.7", "curl/8.6.0", origin="https://a.example")) == ""
