"""The recipe for apps, on a JVM. Debian has OkHttp 3; the newer names come from a file beside it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpResponse
from rest_framework_simplejwt.views import TokenRefreshView

from devices.models import DeviceSession, RevokeReason
from devices.shortcuts import end_session
from tests import processes

# With the packages of the integrations alone, since it takes a while to build.
pytest.importorskip("channels", reason="make test-integrations tries it")

PAGE = (Path(settings.BASE_DIR) / "docs" / "recipes" / "apps.md").read_text()
STORY = Path(__file__).parent / "okhttp"
JAVA = Path("/usr/share/java")
JARS = [JAVA / f"{name}.jar" for name in ("okhttp", "okio", "com.android.json", "kotlin-stdlib")]

Play = Callable[[str], subprocess.Popen[str]]


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> str:
    """The class path of the compiled recipe."""
    if not (shutil.which("kotlinc") and all(jar.exists() for jar in JARS)):
        pytest.skip("NO OKHTTP: the recipe for apps is not tried (kotlin, libokhttp-java)")
    folder: Path = tmp_path_factory.mktemp("okhttp")
    [code] = re.findall(r"```kotlin\n// Api\.kt\n(.*?)```", PAGE, re.DOTALL)
    # Where OkHttp 4 has what the shim has here.
    code = re.sub(r"^import okhttp3\..*Companion.*\n", "", code, flags=re.M)
    (folder / "Api.kt").write_text(code)
    paths = ":".join(map(str, JARS))
    files = [str(folder / "Api.kt"), *map(str, STORY.glob("*.kt"))]
    command = ["kotlinc", "-nowarn", "-cp", paths, *files, "-d", str(folder / "app.jar")]
    assert processes.run(command, folder, timeout=180) is not None, "kotlinc has failed"
    return f"{folder / 'app.jar'}:{paths}"


@pytest.fixture
def play(app, live_server, alice):
    """play("many"): the story, as a process."""
    started: list[subprocess.Popen[str]] = []

    def play(story: str) -> subprocess.Popen[str]:
        command = ["java", "-cp", app, "StoryKt", f"{live_server.url}/api", story]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        return process

    yield play
    for process in started:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str]) -> list[str]:
    """What it prints until it waits, or ends."""
    seen = []
    while (line := process.stdout.readline().strip()) not in ("", "ready"):
        seen.append(line)
    return seen


def go_on(process: subprocess.Popen[str]) -> list[str]:
    process.stdin.write("\n")
    process.stdin.flush()
    return lines(process)


@pytest.mark.django_db(transaction=True)
def test_many_requests_share_one_refresh(play):
    assert lines(play("many")) == ["no_active_account", "[200]"]
    session = DeviceSession.objects.get()
    assert session.generation == 1
    assert (session.device, session.device_type) == ("Shop on Android", "mobile")


@pytest.mark.django_db(transaction=True)
def test_a_new_login_replaces_the_session_of_the_installation(play):
    assert lines(play("again")) == ["no_active_account"]
    reasons = DeviceSession.objects.order_by("created_at").values_list("revoke_reason", flat=True)
    assert list(reasons) == [RevokeReason.SUPERSEDED, ""]


@pytest.mark.django_db(transaction=True)
def test_a_session_that_was_ended_elsewhere_ends_in_the_app(play):
    process = play("ended")
    assert lines(process) == ["no_active_account"]
    end_session(DeviceSession.objects.get())
    assert go_on(process) == ["signed out", "401", "null"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [200, 403, 429])
def test_what_a_proxy_answers_signs_nobody_out(play, status):
    """Such as a firewall, or a network that wants a login of its own: with a page, and not with JSON."""
    process = play("away")
    assert lines(process) == ["no_active_account"]
    page = HttpResponse("<html>", status=status)
    with patch.object(TokenRefreshView, "post", return_value=page):
        assert go_on(process) == [f"{status}"]
    # In place of a 401 of the API.
    page = HttpResponse("<html>", status=401)
    with patch("accounts.views.MeView.dispatch", return_value=page):
        assert go_on(process) == ["401", "null"]


@pytest.mark.django_db(transaction=True)
def test_an_outage_signs_nobody_out(play):
    process = play("away")
    assert lines(process) == ["no_active_account"]
    with patch("devices.core.sessions.refresh.get_valid_session", side_effect=OperationalError):
        assert go_on(process) == ["503 unavailable"]
    assert go_on(process) == ["200", "null"]
    assert DeviceSession.objects.get().revoke_reason == RevokeReason.LOGOUT
