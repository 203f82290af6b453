"""The Python clients of docs/dpop.md, played as they are printed."""

import re
import sys
import types
from pathlib import Path

import httpx
import pytest
import requests
from django.conf import settings

from devices.models import DeviceSession
from tests.client import PASSWORD

TEXT = (Path(settings.BASE_DIR) / "docs/dpop.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CREDENTIALS = {"email": "alice@example.org", "password": PASSWORD}


def block(name):
    [code] = [each for each in BLOCKS if each.startswith(f"# {name}.py")]
    return code


@pytest.fixture
def pasted(monkeypatch):
    """The modules of the page, as somebody would paste them."""
    for name in ("dpop_auth", "dpop_requests"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(block(name), module.__dict__)
    return sys.modules


@pytest.fixture(params=[False, True], ids=["", "nonces"])
def nonces(request, settings):
    settings.DEVICES = {**settings.DEVICES, "DPOP_NONCE": request.param}
    return request.param


def test_the_lines_of_the_page_sign_in_call_and_refresh(pasted, nonces, live_server, alice):
    [code] = [each for each in BLOCKS if "httpx.Client(" in each]
    names = {}
    exec(code.replace("https://api.example.org", live_server.url), names)
    assert [each["binding"] for each in names["sessions"]] == ["dpop"]
    assert names["tokens"]["token_type"] == "DPoP"
    assert DeviceSession.objects.get().generation == 1


def test_httpx_sends_a_proof_of_its_own_with_each_request(pasted, nonces, live_server, alice):
    module = pasted["dpop_auth"]
    prover = module.Prover()
    with httpx.Client(base_url=live_server.url + "/api") as api:
        auth = module.DPoPAuth(prover)
        tokens = api.post("/login", json=CREDENTIALS, auth=auth).json()
        api.auth = module.DPoPAuth(prover, tokens["access_token"])
        for _ in range(3):
            assert api.get("/sessions?x=1").status_code == 200
        api.auth = module.DPoPAuth(module.Prover(), tokens["access_token"])
        assert api.get("/me").status_code == 401, "another key"


def test_requests_does_too(pasted, nonces, live_server, alice):
    prover, auth = pasted["dpop_auth"].Prover(), pasted["dpop_requests"].DPoPAuth
    url = live_server.url + "/api"
    with requests.Session() as api:
        login = api.post(f"{url}/login", json=CREDENTIALS, auth=auth(prover))
        assert login.status_code == 200, login.text
        tokens = login.json()
        for _ in range(3):
            answer = api.get(f"{url}/me?x=1", auth=auth(prover, tokens["access_token"]))
            assert answer.status_code == 200
        body = {"refresh": tokens["refresh_token"]}
        assert api.post(f"{url}/token/refresh", json=body, auth=auth(prover)).status_code == 200
        stranger = auth(pasted["dpop_auth"].Prover(), tokens["access_token"])
        assert api.get(f"{url}/me", auth=stranger).status_code == 401
    assert DeviceSession.objects.get().generation == 1


def test_the_function_of_the_page_says_of_whom_it_is_required(alice):
    names = {}
    exec(block("shop/security"), names)
    asks = names["staff_and_our_app"]
    client = types.SimpleNamespace(user_agent="curl/8.6.0")
    assert not asks(alice, client)
    assert asks(alice, types.SimpleNamespace(user_agent="ShopApp/2"))
    alice.is_staff = True
    assert asks(alice, client)
