"""The clients of docs/recipes/python.md, played as they are printed, by threads, tasks and processes."""

import asyncio
import builtins
import getpass
import json
import re
import stat
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import anyio
import httpx
import pytest
import requests
from django.conf import settings as django_settings
from django.db import OperationalError, connections
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework_simplejwt.views import TokenBlacklistView, TokenRefreshView

from accounts.views import LoginView, MeView
from devices.decorators import session_required
from devices.exceptions import OtpRequired
from devices.models import DeviceSession, RevokeReason
from devices.shortcuts import end_session
from tests.client import PASSWORD

PAGE = (Path(django_settings.BASE_DIR) / "docs/recipes/python.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))
AGENT = "Backup/1.2 (Linux; nas)"


class Api:
    """One process of the program: what it sends to the API, by the library that the test is for."""

    def __init__(self, library, url, file):
        self.modules = {name: sys.modules[name] for name in ("api_tokens", "api_httpx")}
        self.__dict__.update(vars(sys.modules["api_tokens"]))
        self.file = self.File(file)
        self.tokens = self.Tokens(f"{url}/api", self.file, AGENT)
        if library == "httpx":
            auth = sys.modules["api_httpx"].TokenAuth(self.tokens)
            self.client = httpx.Client(auth=auth, timeout=20)
            self.ask = self.client.request
        else:
            self.client = requests.Session()
            self.client.auth = sys.modules["api_requests"].TokenAuth(self.tokens)
            self.ask = partial(self.client.request, timeout=20)

    def sign_in(self, email="alice@example.org", password=PASSWORD):
        self.tokens.log_in(email=email, password=password)
        return self

    def get(self, name="/me", **given):
        return self.ask("GET", self.tokens.url + name, **given)

    def expire(self):
        """As if the access token had expired."""
        with self.file.locked() as stored:
            stored["pair"]["access"] += "x"
            self.tokens._pair = stored["pair"]

    @property
    def stored(self):
        with self.file.locked() as stored:
            return stored.get("pair")


@pytest.fixture
def pasted(monkeypatch):
    for name in ("api_tokens", "api_httpx", "api_requests"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(FILES[name], module.__dict__)
    return sys.modules


@pytest.fixture(params=["httpx", "requests"])
def start(request, pasted, monkeypatch, live_server, tmp_path, alice):
    """start(): another process of the program, with the same file."""
    started = []
    if request.param == "requests":
        # As the page says.
        monkeypatch.setattr(pasted["api_tokens"], "post", requests.post)

    def start():
        started.append(Api(request.param, live_server.url, tmp_path / "tokens"))
        return started[-1]

    yield start
    for each in started:
        each.client.close()


@pytest.fixture
def api(start):
    return start().sign_in()


def only_session():
    return DeviceSession.objects.get()


def test_a_login_is_of_one_device_and_the_file_is_for_one_person(start, tmp_path):
    api = start()
    with pytest.raises(api.SignedOut):
        api.get()
    with pytest.raises(api.Refused) as refused:
        api.sign_in(password="wrong")
    assert refused.value.code == "no_active_account"
    api.sign_in()
    assert api.get().json()["email"] == "alice@example.org"
    assert start().get().status_code == 200
    assert only_session().device == "Backup on Linux"
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
    # Again, from the same installation.
    start().sign_in()
    assert DeviceSession.objects.get(revoked_at=None).device == "Backup on Linux"


def test_many_threads_share_one_refresh(api):
    for generation in (1, 2, 3):
        api.expire()
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: api.get().status_code, range(40)))
        assert answers == [200] * 40
        assert only_session().generation == generation


STORY = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import httpx
from api_httpx import TokenAuth
from api_tokens import File, Tokens

url, file = sys.argv[1:]
tokens = Tokens(url, File(file), "Backup/1.2 (Linux; nas)")
api = httpx.Client(auth=TokenAuth(tokens), timeout=30)

def ask(_):
    return api.get(url + "/me").status_code

seen = set()
with ThreadPoolExecutor(4) as pool:
    for _ in range(8):
        with tokens._file.locked() as stored:
            # As if it had expired, for the other process as well.
            stored["pair"]["access"] = stored["pair"]["access"].rstrip("~") + "~"
            tokens._pair = stored["pair"]
        seen.update(pool.map(ask, range(4)))
print(list(seen))
"""


def test_two_processes_share_the_file(api, request, settings, tmp_path):
    if "requests" in request.node.name:
        pytest.skip("one library is enough")
    settings.DEVICES = {**settings.DEVICES, "REFRESH_GRACE": timedelta(0)}
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "story.py").write_text(STORY)
    command = [sys.executable, "story.py", api.tokens.url, str(tmp_path / "tokens")]
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=50) for process in both]
    assert [printed for printed, _ in told] == ["[200]\n"] * 2, told
    assert only_session().revoked_at is None
    assert 8 <= only_session().generation <= 16
    assert api.get().status_code == 200


def test_what_another_process_stored_may_have_expired_too(start, api):
    old = start()
    assert old.get().status_code == 200
    api.expire()
    assert api.get().status_code == 200
    old.tokens._pair = old.tokens._pair | {"access": old.tokens._pair["access"] + "x"}
    with api.file.locked() as stored:
        stored["pair"]["access"] += "x"
    assert old.get().status_code == 200
    assert only_session().generation == 2


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_lost_answer_to_a_refresh_costs_nothing(start, api, settings, is_killed):
    settings.DEVICES = {**settings.DEVICES, "REFRESH_GRACE": timedelta(0)}
    api.expire()
    post = sys.modules["api_tokens"].post

    def lose(*given, **options):
        post(*given, **options)
        # Or the process ends here.
        raise KeyboardInterrupt if is_killed else ConnectionResetError

    with (
        patch.object(sys.modules["api_tokens"], "post", lose),
        pytest.raises(KeyboardInterrupt if is_killed else ConnectionResetError),
    ):
        api.get()
    assert only_session().generation == 1
    assert (start() if is_killed else api).get().status_code == 200
    assert only_session().generation == 1
    assert only_session().revoked_at is None


@pytest.mark.parametrize("status", [200, 401, 403, 429, 502, 503])
def test_an_outage_or_a_proxy_signs_nobody_out(api, status):
    api.expire()
    headers = {"Retry-After": "7"} if status in (429, 503) else {}
    page = HttpResponse("<html>", status=status, headers=headers)
    for view in (TokenRefreshView, TokenBlacklistView, LoginView):
        act = {TokenRefreshView: api.get, TokenBlacklistView: api.tokens.log_out}
        with (
            patch.object(view, "post", return_value=page),
            pytest.raises(api.Failed) as failed,
        ):
            act.get(view, api.sign_in)()
        assert failed.value.retry_after == (7 if headers else None)
    # In place of a 401 of the API.
    with patch.object(MeView, "get", return_value=HttpResponse("<html>", status=401)):
        assert api.get().status_code == 401
    assert api.get().status_code == 200
    assert only_session().generation == 1


def test_the_retry_after_of_the_api_is_told(api):
    api.expire()
    with (
        patch("devices.core.sessions.refresh.get_valid_session", side_effect=OperationalError),
        pytest.raises(api.Failed, match="503 from http"),
    ):
        api.get()
    api.tokens.log_out()
    for _ in range(20):
        try:
            api.sign_in("nobody@example.org")
        except api.Refused:
            continue
        except api.Failed as failed:
            assert failed.retry_after > 0
            break
    else:
        pytest.fail("never throttled")


def test_a_session_that_was_ended_elsewhere_is_told(start, api):
    end_session(only_session())
    with pytest.raises(api.SignedOut, match="session_revoked"):
        api.get()
    assert api.stored is None
    # At a refresh, too. The other process is told, and does not touch who is signed in next.
    other = start()
    api.sign_in()
    assert other.get().status_code == 200
    api.expire()
    end_session(DeviceSession.objects.get(revoked_at=None))
    with pytest.raises(api.SignedOut, match="session_revoked"):
        api.get()
    api.sign_in()
    with pytest.raises(api.SignedOut):
        other.get()
    assert other.get().status_code == 200


def test_a_logout_needs_no_valid_access_token(start, api):
    refresh = api.stored["refresh"]
    api.expire()
    api.tokens.log_out()
    assert only_session().revoke_reason == RevokeReason.LOGOUT
    assert api.stored is None
    api.tokens.log_out()
    with pytest.raises(api.SignedOut):
        start().get()
    # Of a session that had ended.
    with api.file.locked() as stored:
        stored["pair"] = {"access": "", "refresh": refresh, "session": "1"}
    api.tokens.log_out()
    assert api.stored is None


def test_a_late_answer_does_not_touch_the_next_session(start, api, mallory):
    asked, go_on = threading.Event(), threading.Event()
    api.expire()
    post = sys.modules["api_tokens"].post

    def wait(url, **options):
        response = post(url, **options)
        if url.endswith("/refresh"):
            asked.set()
            assert go_on.wait(20)
        return response

    with ThreadPoolExecutor(2) as pool:
        with patch.object(sys.modules["api_tokens"], "post", wait):
            late = pool.submit(api.get)
            assert asked.wait(20)
            # It waits for the refresh, and then ends the session.
            out = pool.submit(start().tokens.log_out)
            go_on.set()
            out.result(20)
            assert isinstance(late.exception(20), api.SignedOut | None)
        assert api.stored is None
    api.sign_in(mallory.email)
    assert api.get().json()["email"] == mallory.email


def test_a_request_is_not_sent_again_in_the_name_of_the_next_person(start, api, mallory):
    end_session(only_session())
    start().sign_in(mallory.email)
    with pytest.raises(api.SignedOut):
        api.ask("PATCH", f"{api.tokens.url}/sessions/current", json={"name": "Alice's"})
    assert not DeviceSession.objects.exclude(name="").exists()
    assert api.get().json()["email"] == mallory.email


def test_a_request_that_asks_for_the_password_is_given_to_the_program(api, settings):
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": timedelta(0)}
    everything = f"{api.tokens.url}/sessions/revoke-all"
    assert api.ask("POST", everything).json()["code"] == "insufficient_user_authentication"
    settings.DEVICES = {**settings.DEVICES, "STEP_UP_MAX_AGE": timedelta(minutes=15)}
    confirm = f"{api.tokens.url}/sessions/current/confirm"
    assert api.ask("POST", confirm, json={"password": PASSWORD}).status_code == 200
    assert api.ask("POST", everything).status_code == 200


seen = []


def take(request):
    seen.append((len(request.body), request.headers.get("Authorization")))
    if "to" in request.GET:
        return HttpResponse(status=302, headers={"Location": request.GET["to"]})
    return HttpResponse(len(request.body))


@csrf_exempt
def upload(request):
    # The server of the tests leaves these on the connection, and takes them for the next request.
    if request.headers.get("Transfer-Encoding") == "chunked":
        connection = request.environ["wsgi.input"]._read.__self__
        while size := int(connection.readline(), 16):
            connection.read(size + 2)
        connection.readline()
    return session_required(take)(request)


def endless(request):
    def parts():
        yield b"first"
        assert let_go.wait(20)

    return StreamingHttpResponse(parts())


let_go = threading.Event()
urlpatterns = [
    path("api/upload", upload),
    path("elsewhere", take),
    path("api/endless", session_required(endless)),
    path("", include("project.urls")),
]


class Chunks:
    """Of a size that nobody knows: not a file, and no generator."""

    def __iter__(self):
        yield from self.left
        self.left = []

    left = (b"some", b"thing")


@pytest.mark.urls(__name__)
def test_a_body_is_sent_whole_or_not_at_all(api, tmp_path):
    file = tmp_path / "something"
    file.write_bytes(b"something")
    url = f"{api.tokens.url}/upload"
    name = "content" if isinstance(api.client, httpx.Client) else "data"
    for make, statuses, has_length in (
        (lambda: {name: b"something"}, [200, 200], True),
        (lambda: {"files": {"file": file.open("rb")}}, [200, 200], True),
        (lambda: {name: file.open("rb")}, [401, 200], True),
        # Django does not read these.
        (lambda: {name: (part for part in (b"some", b"thing"))}, [401, 200], False),
        (lambda: {name: Chunks()}, [401, 200], False),
    ):
        api.expire()
        seen.clear()
        for status in statuses:
            given = make()
            answer = api.ask("POST", url, **given)
            assert answer.status_code == status
            for each in (*given.values(), *given.get("files", {}).values()):
                getattr(each, "close", lambda: None)()
        assert not has_length or min(length for length, _ in seen) >= len("something")


@pytest.mark.urls(__name__)
def test_nobody_else_gets_the_tokens(api, live_server):
    seen.clear()
    elsewhere = f"{live_server.url}/elsewhere"
    api.ask("GET", elsewhere)
    api.ask("GET", f"{live_server.url}/apis/")
    other = elsewhere.replace("127.0.0.1", "localhost").replace("[::1]", "localhost")
    assert other != elsewhere or "localhost" in elsewhere
    follows = {"follow_redirects": True} if isinstance(api.client, httpx.Client) else {}
    target = elsewhere.replace("localhost", "127.0.0.1") if other == elsewhere else other
    api.ask("GET", f"{api.tokens.url}/upload", params={"to": target}, **follows)
    tokens = [token for _, token in seen]
    assert tokens == [None, f"Bearer {api.stored['access']}", None]


@pytest.mark.urls(__name__)
def test_a_stream_is_read_as_it_comes(api):
    let_go.clear()
    api.expire()
    url = f"{api.tokens.url}/endless"
    if isinstance(api.client, httpx.Client):
        with api.client.stream("GET", url) as response:
            assert next(response.iter_raw()) == b"first"
            let_go.set()
    else:
        with api.client.get(url, stream=True) as response:
            assert next(response.iter_content(5)) == b"first"
            let_go.set()


def test_the_tokens_are_in_the_keyring_and_the_file_locks(start, monkeypatch, tmp_path):
    entries = {}
    ring = types.ModuleType("keyring")
    ring.get_password = lambda *names: entries.get(names)
    ring.set_password = lambda *given: entries.update({given[:2]: given[2]})
    monkeypatch.setitem(sys.modules, "keyring", ring)
    names = {}
    exec(FILES["api_keyring"], names)
    both = start(), start()
    for api in both:
        api.file = api.tokens._file = names["Keyring"](tmp_path / "lock", "Backup")
    both[0].sign_in()
    assert both[1].get().status_code == 200
    [[where, text]] = entries.items()
    assert where == ("Backup", "tokens")
    # What the page says of the length that Windows takes.
    assert 700 < len(json.loads(text)["pair"]["access"] + both[0].stored["refresh"]) < 780
    assert b"eyJ" not in (tmp_path / "lock").read_bytes()


def test_a_script_waits_until_the_api_is_there_again(api, request, monkeypatch):
    if "requests" in request.node.name:
        pytest.skip("the code is for httpx")
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    names = {}
    exec(FILES["patience"], names)
    answers = [
        HttpResponse("<html>", status=503, headers={"Retry-After": "7"}),
        HttpResponse("<html>", status=502),
    ]
    api.expire()
    real, post = MeView.get, sys.modules["api_tokens"].post

    def busy(self, request):
        return answers.pop() if answers else real(self, request)

    def cut(*given, **options):
        monkeypatch.setattr(sys.modules["api_tokens"], "post", post)
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(sys.modules["api_tokens"], "post", cut)
    with patch.object(MeView, "get", busy):
        assert names["patiently"](api.get).status_code == 200
    assert slept == [1, 5, 7]
    # It gives up, and says why.
    with (
        patch("devices.core.sessions.refresh.get_valid_session", side_effect=OperationalError),
        pytest.raises(api.Failed),
    ):
        api.expire()
        names["patiently"](api.get)
    # After four pauses more.
    assert len(slept) == 7


# Tasks


@pytest.fixture
def tasks(pasted, live_server, tmp_path, alice):
    """tasks(story): run story(api, client) by asyncio."""
    api = Api("httpx", live_server.url, tmp_path / "tokens").sign_in()

    def run(story):
        async def start():
            auth = pasted["api_httpx"].TokenAuth(api.tokens)
            async with httpx.AsyncClient(base_url=api.tokens.url, auth=auth, timeout=20) as client:
                return await story(api, client)

        return asyncio.run(start())

    yield run
    api.client.close()


def test_many_tasks_share_one_refresh(tasks):
    async def story(api, client):
        api.expire()
        answers = await asyncio.gather(*(client.get("/me") for _ in range(60)))
        return {answer.status_code for answer in answers}

    assert tasks(story) == {200}
    assert only_session().generation == 1


def test_a_refresh_holds_up_no_other_task_and_outlives_its_own(tasks):
    go_on, asked = threading.Event(), threading.Event()
    post = sys.modules["api_tokens"].post

    def wait(url, **options):
        asked.set()
        assert go_on.wait(20)
        return post(url, **options)

    async def story(api, client):
        api.expire()
        with patch.object(sys.modules["api_tokens"], "post", wait):
            task = asyncio.create_task(client.get("/me"))
            assert await asyncio.to_thread(asked.wait, 20)
            # The loop goes on.
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            # So it does for libraries upon anyio, such as FastAPI.
            with anyio.move_on_after(0.5) as scope:
                await client.get("/me")
            assert scope.cancelled_caught
            go_on.set()
            return (await client.get("/me")).status_code

    assert tasks(story) == 200
    assert only_session().generation == 1


def test_the_tasks_are_told_of_the_end(tasks):
    def end():
        # A thread has a connection of its own, which nobody else closes.
        try:
            end_session(only_session())
        finally:
            connections.close_all()

    async def story(api, client):
        await asyncio.to_thread(end)
        with pytest.raises(api.SignedOut):
            await client.get("/me")
        with pytest.raises(api.SignedOut):
            await client.get("/me")

    tasks(story)


# The script


def test_the_script_asks_for_what_the_api_asks_for(
    pasted, monkeypatch, live_server, alice, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    real = LoginView.post

    def ask_for_a_code(self, request):
        if not request.data.pop("otp", ""):
            raise OtpRequired
        return real(self, request)

    monkeypatch.setattr(LoginView, "post", ask_for_a_code)
    typed = iter([alice.email, "123456"])
    monkeypatch.setattr(builtins, "input", lambda _: next(typed))
    monkeypatch.setattr(getpass, "getpass", lambda: PASSWORD)
    names = {}
    code = FILES["backup"].replace("https://api.example.org", live_server.url)
    exec(code, names)
    assert capsys.readouterr().out.splitlines()[-1] == "Backup on Linux 127.0.0.1"
    names["api"].close()
    # It is signed in from now on.
    exec(code, names)
    names["api"].close()
    assert only_session().generation == 0
